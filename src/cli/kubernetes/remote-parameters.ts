// PostgreSQL's parameters of a cluster on Kubernetes: they are in its object, and changed there.
// The operator and the agents bring them to the servers, with restarts in their turn where they are
// needed.
import { setTimeout as delay } from "node:timers/promises";
import { UnderstudyError } from "../../core/errors.ts";
import { POSTGRES_CLUSTER } from "../../kubernetes-api/kinds.ts";
import type { ClusterObject } from "../../kubernetes/operator/reading.ts";
import type { Operation, Outcome, Plan } from "../../local/cluster.ts";
import type { ParameterChange, ParameterRow } from "../../local/parameters.ts";
import { checkName } from "../../postgres/settings/managed.ts";
import type { LocalCommands } from "../session.ts";
import { parameterObjections } from "./parameter-objections.ts";
import { readObject, type KubernetesPlace } from "./read-object.ts";
import type { KubernetesReach } from "./reach.ts";

type ParameterCommands = Pick<LocalCommands, "planParameters" | "setParameters" | "showParameters">;

const POLL_MS = 500;
const STATUS_LIMIT_MS = 5_000;
const LATE = "agents take it up when their kubelets bring it, up to two minutes later";

export function parametersOf(
  place: KubernetesPlace,
  { reach }: { reach: KubernetesReach },
): ParameterCommands {
  return {
    planParameters: async (_, change) => {
      await changedParameters(place, change);
      return planOf(place, change);
    },
    setParameters: (_, change, operation) => set(place, change, operation),
    showParameters: (_, request) => show(place, { ...request, reach }),
  };
}

function planOf({ namespace, cluster }: KubernetesPlace, change: ParameterChange): Plan {
  const names = namesOf(change).join(", ");
  return {
    summary: `${names} changes in PostgresCluster ${namespace}/${cluster}`,
    steps: [
      `change spec.postgres.parameters of PostgresCluster ${namespace}/${cluster}`,
      "the operator writes it where the kubelets read it",
      LATE,
      "members that must be restarted for it are, one at a time, the primary last",
    ],
    facts: { set: change.set, reset: change.reset },
  };
}

async function set(
  place: KubernetesPlace,
  change: ParameterChange,
  operation: Operation,
): Promise<Outcome> {
  const { api, namespace, cluster: name } = place;
  await changedParameters(place, change);
  const parameters = {
    ...change.set,
    ...Object.fromEntries(change.reset.map((each) => [each, null])),
  };
  const changed = await api.patch<ClusterObject>(
    POSTGRES_CLUSTER,
    { place: { namespace, name }, patch: { spec: { postgres: { parameters } } } },
    { signal: operation.signal },
  );
  if (changed.kind === "other") throw notThere(place);
  operation.onStep(`PostgresCluster ${namespace}/${name} is changed`);
  const names = namesOf(change).join(", ");
  const facts = { set: change.set, reset: change.reset };
  if (!operation.wait) return { summary: `${names} is in the specification; ${LATE}`, facts };
  await awaitUptake(place, { object: changed.object, operation });
  return { summary: `${names} ${namesOf(change).length === 1 ? "is" : "are"} in effect`, facts };
}

/** What would be there, and can be. @throws UnderstudyError REFUSED, PARAMETER_*, SPEC_INVALID. */
async function changedParameters(place: KubernetesPlace, change: ParameterChange): Promise<void> {
  for (const each of namesOf(change)) checkName(each);
  const object = await readObject(place);
  if (object === null) throw notThere(place);
  const [objection] = parameterObjections(change.set);
  if (objection !== undefined) throw new UnderstudyError("PARAMETER_INVALID", objection);
  const own = parametersIn(object);
  const unknown = change.reset.find((each) => !Object.hasOwn(own, each));
  if (unknown !== undefined)
    throw new UnderstudyError("PARAMETER_UNKNOWN", `${unknown} is not set in the specification`);
}

/** The operator says of each specification whether it can be done, and when it is. */
async function awaitUptake(
  place: KubernetesPlace,
  of: { object: ClusterObject; operation: Operation },
): Promise<void> {
  const generation = of.object.metadata.generation ?? 0;
  const { timeoutMs, signal, onStep } = of.operation;
  const deadline = performance.now() + timeoutMs;
  let isAccepted = false;
  for (;;) {
    const { status } = (await readObject(place)) ?? {};
    const conditionOf = (wanted: string) =>
      status?.conditions?.find(
        ({ type, observedGeneration = 0 }) => type === wanted && observedGeneration >= generation,
      );
    const accepted = conditionOf("Accepted");
    if (accepted?.status === "False")
      throw new UnderstudyError(
        "SPEC_INVALID",
        `the operator keeps up the former specification: ${accepted.message}`,
      );
    if (!isAccepted && accepted?.status === "True") onStep("the operator has accepted it");
    isAccepted ||= accepted?.status === "True";
    const progress = conditionOf("Progressing");
    if (isAccepted && progress?.status === "False") return onStep("every member has it");
    if (performance.now() > deadline)
      throw new UnderstudyError(
        "TIMED_OUT",
        `the specification is changed, ${isAccepted ? `and not on every member yet: ${progress?.message ?? "nothing is told of it"}` : "and no operator has looked at it yet"}`,
        { hint: `See: kubectl -n ${place.namespace} describe postgrescluster ${place.cluster}` },
      );
    await delay(POLL_MS, undefined, { signal });
  }
}

async function show(
  place: KubernetesPlace,
  of: { names: readonly string[]; all: boolean; reach: KubernetesReach },
): Promise<ParameterRow[]> {
  const object = await readObject(place);
  if (object === null) throw notThere(place);
  if (of.all)
    throw new UnderstudyError(
      "REFUSED",
      "only what the specification sets can be shown from here",
      {
        hint: "Ask a server for the rest: SHOW ALL",
      },
    );
  const own = parametersIn(object);
  const unknown = of.names.find((name) => !Object.hasOwn(own, name));
  if (unknown !== undefined)
    throw new UnderstudyError("PARAMETER_UNKNOWN", `${unknown} is not set in the specification`);
  const pending = await pendingRestarts(of.reach);
  const shown = of.names.length === 0 ? Object.keys(own) : of.names;
  return shown.map((name) => ({
    name,
    value: own[name] ?? null,
    source: "user",
    pendingRestart: pending.get(name) ?? [],
    takes: "unknown",
    description: null,
  }));
}

async function pendingRestarts(reach: KubernetesReach): Promise<Map<string, string[]>> {
  await using store = reach.openStore();
  const read = await store.read();
  const asked = Object.entries(read?.record.members ?? {}).map(async ([member, at]) => {
    const status = await reach.askStatus(at, { timeoutMs: STATUS_LIMIT_MS }).catch(() => null);
    return (status?.pendingRestart ?? []).map((name) => ({ member, name }));
  });
  const pending = new Map<string, string[]>();
  for (const { member, name } of (await Promise.all(asked)).flat())
    pending.set(name, [...(pending.get(name) ?? []), member]);
  return pending;
}

function parametersIn(object: ClusterObject): Readonly<Record<string, string>> {
  const parameters: unknown = Object(Object(object.spec)["postgres"])["parameters"];
  return Object.fromEntries(
    Object.entries(Object(parameters)).map(([name, value]) => [name, String(value)]),
  );
}

function namesOf({ set: given, reset }: ParameterChange): string[] {
  return [...Object.keys(given), ...reset];
}

function notThere({ namespace, cluster }: KubernetesPlace): UnderstudyError {
  return new UnderstudyError(
    "REFUSED",
    `there is no PostgresCluster ${namespace}/${cluster}: its parameters are where it was made from`,
    { hint: "Change the file, then: understudy kubernetes manifests -f FILE --only-applied" },
  );
}
