// The users' own PostgreSQL parameters: shown as a running server has them, checked by that server
// before they are written, taken up by a reload or by restarts in the right order.
import { writeClusterFile } from "../agent/cluster-file.ts";
import { durabilityObjection } from "../core/durability.ts";
import { UnderstudyError } from "../core/errors.ts";
import type { SyncPolicy } from "../core/record.ts";
import { checkParameters } from "../postgres/settings/check-parameters.ts";
import {
  SETTINGS_QUERY,
  catalogFromRows,
  describeParameters,
  describeRange,
  type ParameterCatalog,
  type ParameterDescription,
  type SettingsRow,
} from "../postgres/settings/describe-parameters.ts";
import { nearestName } from "../postgres/settings/nearest-name.ts";
import { findManaged } from "../postgres/settings/managed.ts";
import { withAdminSession } from "./admin-session.ts";
import {
  lockCluster,
  openCluster,
  readRecord,
  type LocalCluster,
  type Operation,
  type Outcome,
  type Plan,
} from "./cluster.ts";
import { describeChanges, noteDecision, type Change } from "./decisions.ts";
import { askMembers } from "./read-status.ts";
import { restartPending } from "./restart.ts";
import { announceAndAwaitUptake } from "./uptake.ts";
import { isSettled, waitFor } from "./wait-for.ts";

export interface ParameterRow {
  readonly name: string;
  /** As the server shows it; null where no server could be asked. */
  readonly value: string | null;
  readonly source: "user" | "understudy" | "default";
  /** Members on which the new value waits for a restart. */
  readonly pendingRestart: readonly string[];
  /** Type, range and unit in words: "an integer from 64 to 2147483647 in units of kB". */
  readonly takes: string;
  readonly description: string | null;
}

interface ShownRow extends SettingsRow {
  readonly value: string;
  readonly description: string;
}

export interface ParameterChange {
  readonly set: Readonly<Record<string, string>>;
  readonly reset: readonly string[];
}

/**
 * Those that were named, or all, or those that the user has set.
 * @throws UnderstudyError PARAMETER_UNKNOWN, CLUSTER_NOT_RUNNING.
 */
export async function showParameters(
  cluster: LocalCluster,
  request: { names: readonly string[]; all: boolean },
): Promise<ParameterRow[]> {
  const own = cluster.file.specification.spec.postgres.parameters;
  const rows = await withAdminSession(cluster, async (client) => {
    const answer = await client.query<ShownRow>(
      `SELECT name, vartype, context, unit, min_val, max_val, enumvals, pg_catalog.current_setting(name, true) AS value, short_desc AS description
         FROM pg_catalog.pg_settings ORDER BY name`,
    );
    return answer.rows;
  });
  const catalog = catalogFromRows(rows);
  const pending = await pendingRestarts(cluster);
  const shown = rows.filter(({ name }) => isWanted(name, { request, own }));
  const unknown = request.names.find(
    (name) => !shown.some((row) => row.name.toLowerCase() === name.toLowerCase()),
  );
  if (unknown !== undefined)
    throw new UnderstudyError(
      "PARAMETER_UNKNOWN",
      `the server knows no parameter ${JSON.stringify(unknown)}${didYouMean(unknown, catalog.keys())}`,
    );
  return shown.map(({ name, value, description }) => ({
    name,
    value,
    source: hasName(own, name)
      ? "user"
      : findManaged(name) === undefined
        ? "default"
        : "understudy",
    pendingRestart: pending.get(name) ?? [],
    takes: takesOf(catalog.get(name.toLowerCase())),
    description,
  }));
}

function takesOf(known: ParameterDescription | undefined): string {
  return known === undefined ? "unknown" : describeRange(known);
}

function didYouMean(name: string, names: Iterable<string>): string {
  const nearest = nearestName(name, names);
  return nearest === null ? "" : `; did you mean ${nearest}?`;
}

function isWanted(
  name: string,
  by: {
    request: { names: readonly string[]; all: boolean };
    own: Readonly<Record<string, string>>;
  },
): boolean {
  if (by.request.all) return true;
  if (by.request.names.length === 0) return hasName(by.own, name);
  return by.request.names.some((wanted) => wanted.toLowerCase() === name.toLowerCase());
}

function hasName(parameters: Readonly<Record<string, string>>, name: string): boolean {
  return Object.keys(parameters).some((each) => each.toLowerCase() === name.toLowerCase());
}

async function pendingRestarts(cluster: LocalCluster): Promise<Map<string, string[]>> {
  const answers = await askMembers(cluster, { record: await readRecord(cluster) });
  const pending = new Map<string, string[]>();
  for (const [member, answer] of answers)
    if (!("unreachable" in answer))
      for (const name of answer.pendingRestart)
        pending.set(name, [...(pending.get(name) ?? []), member]);
  return pending;
}

/**
 * @throws UnderstudyError PARAMETER_UNKNOWN, PARAMETER_MANAGED or PARAMETER_INVALID;
 * CLUSTER_NOT_RUNNING unless all are resets.
 */
export async function planParameters(
  cluster: LocalCluster,
  change: ParameterChange,
): Promise<Plan> {
  const { needRestart, warnings } = await checkChange(cluster, change);
  const names = [...Object.keys(change.set), ...change.reset];
  return {
    summary:
      needRestart.length === 0
        ? `${names.join(", ")} takes effect by a reload`
        : `${needRestart.join(", ")} needs a restart of every member, one after the other`,
    steps: [
      `write ${names.join(", ")} for every member`,
      "reload every member",
      ...(needRestart.length === 0
        ? []
        : ["restart the standbys one by one", "restart the primary: a short pause for writers"]),
      ...warnings.map((warning) => `note: ${warning}`),
    ],
    facts: { names, needRestart },
  };
}

export async function setParameters(
  given: LocalCluster,
  change: ParameterChange,
  operation: Operation,
): Promise<Outcome> {
  using _lock = lockCluster(given);
  // Another command may have written it before the lock was had.
  const cluster = await openCluster(given.place);
  const { parameters } = await checkChange(cluster, change);
  const earlier = cluster.file.specification.spec.postgres.parameters;
  await writeParameters(cluster, parameters);
  operation.onStep("the specification was written");
  await announceAndAwaitUptake(cluster, operation);
  operation.onStep("every member has read it");
  const restarted = operation.wait
    ? await restartPending(cluster, operation).catch((thrown: unknown) =>
        takeBack(cluster, { earlier, thrown, operation }),
      )
    : [];
  const names = [...Object.keys(change.set), ...change.reset];
  const changes = changesBetween(earlier, parameters);
  const note =
    changes.length === 0
      ? ""
      : await noteDecision(cluster, {
          event: "parameters-set",
          what: `changed parameters of ${cluster.place.name}; ${describeChanges(changes)}`,
          details: { changes, restarted },
        });
  return {
    summary: `${names.join(", ")} ${names.length === 1 ? "is" : "are"} in effect${restarted.length === 0 ? "" : ", every member that waited for it was restarted"}${note}`,
    facts: { set: change.set, reset: change.reset, restarted },
  };
}

/** What is not set is the server's default. */
function changesBetween(
  earlier: Readonly<Record<string, string>>,
  now: Readonly<Record<string, string>>,
): Change[] {
  return [...new Set([...Object.keys(earlier), ...Object.keys(now)])].flatMap((key) => {
    const [from = "the default", to = "the default"] = [earlier[key], now[key]];
    return from === to ? [] : [{ key, from, to }];
  });
}

/**
 * A value can pass every check and still not fit this machine (shared_buffers): the first member
 * that was restarted with it does not come up. With the earlier values it comes back by itself.
 * @throws UnderstudyError START_FAILED; whatever else was thrown goes on as it is.
 */
async function takeBack(
  cluster: LocalCluster,
  of: { earlier: Readonly<Record<string, string>>; thrown: unknown; operation: Operation },
): Promise<never> {
  const { earlier, thrown, operation } = of;
  if (!(thrown instanceof UnderstudyError) || thrown.code !== "START_FAILED") throw thrown;
  operation.onStep(`${thrown.message}; the earlier values are written back`);
  await writeParameters(cluster, earlier);
  await announceAndAwaitUptake(cluster, operation);
  await waitFor(cluster, {
    what: "every member with the earlier values",
    isSo: (status) => status.members.every(({ name }) => isSettled(status, name)),
    operation,
  });
  // Those that were restarted before it run with the new values.
  await restartPending(cluster, operation);
  throw new UnderstudyError(
    "START_FAILED",
    `${thrown.message}; the earlier values were written back, and every member runs with them`,
    { cause: thrown, hint: "Set a value that this machine can bear: understudy param set" },
  );
}

async function checkChange(cluster: LocalCluster, change: ParameterChange) {
  const { specification, installation } = cluster.file;
  const { preload } = specification.spec.postgres;
  const record = await readRecord(cluster);
  const contexts = await knownParameters(cluster, change);
  const changed = await checkParameters({
    installation,
    parameters: change.set,
    preload,
    memberCount: Object.keys(record.members).length,
    running: contexts,
  });
  const resets = change.reset.filter(
    (name) => contexts.get(name.toLowerCase())?.context === "postmaster",
  );
  const own = specification.spec.postgres.parameters;
  // What was set once may be an extension's, whose server does not run now.
  const unknown = change.reset.find(
    (name) => !contexts.has(name.toLowerCase()) && !hasName(own, name),
  );
  if (unknown !== undefined)
    throw new UnderstudyError(
      "PARAMETER_UNKNOWN",
      `the server knows no parameter ${JSON.stringify(unknown)}${didYouMean(unknown, contexts.keys())}`,
    );
  const gone = new Set(
    [...change.reset, ...Object.keys(change.set)].map((name) => name.toLowerCase()),
  );
  const kept = Object.entries(own).filter(([name]) => !gone.has(name.toLowerCase()));
  const parameters = { ...Object.fromEntries(kept), ...changed.parameters };
  refuseLessDurable(record.sync, parameters);
  return {
    parameters,
    needRestart: [...changed.needRestart, ...resets],
    warnings: changed.warnings,
  };
}

/** @throws UnderstudyError REFUSED. */
export function refuseLessDurable(
  policy: Pick<SyncPolicy, "mode">,
  parameters: Readonly<Record<string, string>>,
): void {
  const objection = durabilityObjection(policy, parameters);
  if (objection === null) return;
  throw new UnderstudyError("REFUSED", `${objection}; nothing was changed`, {
    hint: "Choose it for single transactions, with SET LOCAL synchronous_commit, or have: understudy config set sync=off",
  });
}

/**
 * A value that keeps the servers from starting must be gotten rid of without one: names are then
 * checked by the binaries.
 */
async function knownParameters(
  cluster: LocalCluster,
  change: ParameterChange,
): Promise<ParameterCatalog> {
  try {
    const rows = await withAdminSession(cluster, async (client) => {
      const answer = await client.query<SettingsRow>(SETTINGS_QUERY);
      return answer.rows;
    });
    return catalogFromRows(rows);
  } catch (thrown) {
    const code = thrown instanceof UnderstudyError ? thrown.code : "";
    const isDown = code === "CLUSTER_NOT_RUNNING" || code === "CONNECTION_FAILED";
    if (!isDown || Object.keys(change.set).length > 0) throw thrown;
    return await describeParameters(cluster.file.installation);
  }
}

async function writeParameters(
  cluster: LocalCluster,
  parameters: Readonly<Record<string, string>>,
): Promise<void> {
  const { file, paths } = cluster;
  const { spec } = file.specification;
  const postgres = { ...spec.postgres, parameters: { ...parameters } };
  const specification = { ...file.specification, spec: { ...spec, postgres } };
  await writeClusterFile(paths.cluster, { ...file, specification });
}
