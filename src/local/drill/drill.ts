// `understudy drill`: rehearses a fault on a healthy cluster, with clients of its own, and tells
// what they went through. Whatever becomes of it, what it froze or locked is let go, what it killed
// comes back, and its table goes.
import type { Client } from "pg";
import { UnderstudyError, messageOf } from "../../core/errors.ts";
import type { ClusterMember, ClusterStatus } from "../../core/cluster-status.ts";
import type { AgentProgram } from "../agents.ts";
import {
  lockCluster,
  readRecord,
  type LocalCluster,
  type Operation,
  type Outcome,
  type Plan,
} from "../cluster.ts";
import { readClusterStatus, requireRunning } from "../read-status.ts";
import { refuseSharedTablespaces } from "../shared-tablespaces.ts";
import { HostSearch, isPrimary } from "./app-client.ts";
import type { DrillFault } from "./fault-name.ts";
import { faultOf, type Fault } from "./fault.ts";
import { readLeftovers, thawLeftovers } from "./freeze.ts";
import { hostsOf } from "./load.ts";
import { reportOf, type DrillReport, type DrillRound, type DrillSeries } from "./report.ts";
import { runRound } from "./round.ts";
import { DRILL_SCHEMA, dropTable, makeTable } from "./table.ts";

export interface DrillRequest {
  readonly fault: DrillFault;
  readonly rounds: number;
  /** How long a freeze or an outage lasts. */
  readonly lastsMs: number;
}

export interface DrillResult {
  readonly report: DrillReport;
  /** One for each round of the report. */
  readonly series: readonly DrillSeries[];
}

/** The primary may be gone for a moment when the drill is interrupted. */
const TIDY_LIMIT_MS = 15_000;
const CONNECT_LIMIT_MS = 1_000;

/** What would happen, to whom. @throws UnderstudyError REFUSED, CLUSTER_NOT_RUNNING. */
export async function planDrill(cluster: LocalCluster, request: DrillRequest): Promise<Plan> {
  const status = await requireFit(cluster, await readClusterStatus(cluster));
  const fault = faultOf(request.fault, request.lastsMs);
  const primary = status.primary ?? "";
  const undo = fault.describeUndo?.(primary);
  const times = request.rounds === 1 ? "" : `, ${request.rounds} times one after the other`;
  return {
    summary: `rehearse on ${cluster.place.name}: ${fault.describe(primary)}${times}`,
    steps: [
      `clients of the drill's own write and read in the schema ${DRILL_SCHEMA} of the application's database`,
      fault.describe(primary),
      ...(undo === undefined ? [] : [undo]),
      "wait until every member streams again, count the acknowledged rows, drop the schema",
    ],
    facts: { cluster: cluster.place.name, fault: request.fault, member: primary },
  };
}

/**
 * @throws UnderstudyError REFUSED (nothing changed), OPERATION_IN_PROGRESS, INTERRUPTED, TIMED_OUT.
 */
export async function drill(
  cluster: LocalCluster,
  request: DrillRequest & { readonly program: AgentProgram },
  operation: Operation,
): Promise<DrillResult> {
  const fault = faultOf(request.fault, request.lastsMs);
  return rehearse(cluster, { ...request, name: request.fault, fault }, operation);
}

export interface Rehearsal {
  readonly name: string;
  readonly fault: Fault;
  readonly rounds: number;
  readonly program: AgentProgram;
}

/** A drill with any fault: the programs behind our figures know more of them. Throws as `drill`. */
export async function rehearse(
  cluster: LocalCluster,
  rehearsal: Rehearsal,
  operation: Operation,
): Promise<DrillResult> {
  using _lock = lockCluster(cluster);
  const status = await requireFit(cluster, await readClusterStatus(cluster, operation.signal));
  const { sync } = await readRecord(cluster);
  const { onStep } = operation;
  const told: { round: DrillRound; series: DrillSeries }[] = [];
  const left: string[] = [];
  try {
    await makeDrillTable(cluster);
    for (let round = 1; round <= rehearsal.rounds; round += 1) {
      const one = await runRound(cluster, { ...rehearsal, ...operation, round });
      told.push(one);
      // Nothing is rehearsed on a cluster that has not come through the last time.
      if (!one.round.cameBack) break;
    }
  } finally {
    left.push(...(await tidy(cluster)));
    if (told.length === 0) for (const text of left) onStep(text);
  }
  const report = reportOf({
    cluster: cluster.place.name,
    fault: rehearsal.name,
    postgresVersion: status.postgresVersion,
    members: status.members.map(({ name }) => name),
    sync: sync.mode,
    rounds: told.map(({ round }) => round),
    left,
  });
  return { report, series: told.map(({ series }) => series) };
}

/** What clients need before they begin. @throws UnderstudyError as makeTable, and NO_PRIMARY. */
export async function makeDrillTable(cluster: LocalCluster): Promise<void> {
  await onPrimary(cluster, makeTable);
}

/** Wakes and removes what a drill that was killed has left. */
export async function cleanUpAfterDrill(cluster: LocalCluster): Promise<Outcome> {
  using _lock = lockCluster(cluster);
  const thawed = await thawLeftovers(cluster);
  const dropped = await onPrimary(cluster, dropTable);
  const done = [
    ...(thawed > 0 ? [`${thawed} frozen processes go on`] : []),
    ...(dropped ? [`the schema ${DRILL_SCHEMA} was dropped`] : []),
  ];
  return {
    summary: done.length === 0 ? "no drill has left anything" : done.join("; "),
    facts: { thawed, dropped },
  };
}

/** A rehearsal on a cluster that is not whole would be the accident itself. */
async function requireFit(cluster: LocalCluster, status: ClusterStatus): Promise<ClusterStatus> {
  const { name } = cluster.place;
  const refuse = (why: string, hint: string) =>
    new UnderstudyError("REFUSED", `no drill on ${name}: ${why}; nothing was changed`, { hint });
  const frozen = await readLeftovers(cluster);
  if (frozen.length > 0)
    throw refuse(
      `an earlier drill has left ${frozen.length} of its processes frozen`,
      "Wake them: understudy drill --clean",
    );
  requireRunning(status);
  if (status.state === "paused")
    throw refuse("it is paused, and no standby would take over", "First: understudy resume");
  if (status.state !== "healthy") throw refuse(whyUnfit(status), "See why: understudy status");
  if (status.members.length < 2)
    throw refuse("it has no standby that could take over", "First: understudy standby add");
  const record = await readRecord(cluster);
  await refuseSharedTablespaces(cluster, { record, code: "REFUSED" });
  return status;
}

function whyUnfit({ state, members, primary }: ClusterStatus): string {
  if (state === "no-primary") return "it has no primary";
  const unwell = ({ name, state: each }: ClusterMember) => name !== primary && each !== "streaming";
  const first = members.find(unwell);
  if (first === undefined) return "it is not healthy";
  return `${first.name} is ${first.state}${first.reason === null ? "" : ` (${first.reason})`}`;
}

/** @returns what could not be removed. */
async function tidy(cluster: LocalCluster): Promise<string[]> {
  try {
    await onPrimary(cluster, dropTable);
    return [];
  } catch (thrown) {
    return [
      `the schema ${DRILL_SCHEMA} is still there (${messageOf(thrown)}); remove it by: understudy drill --clean`,
    ];
  }
}

/** @throws UnderstudyError NO_PRIMARY when none is found in time. */
async function onPrimary<T>(
  cluster: LocalCluster,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  using search = new HostSearch({
    password: cluster.secrets.application,
    limitMs: CONNECT_LIMIT_MS,
  });
  const deadline = performance.now() + TIDY_LIMIT_MS;
  for (;;) {
    const { members } = await readRecord(cluster);
    const connection = await search.find(hostsOf(members), isPrimary);
    if (connection !== null) {
      using open = connection;
      return await work(open.client);
    }
    if (performance.now() > deadline)
      throw new UnderstudyError(
        "NO_PRIMARY",
        `no member of ${cluster.place.name} takes writes within ${TIDY_LIMIT_MS / 1000} s`,
      );
  }
}
