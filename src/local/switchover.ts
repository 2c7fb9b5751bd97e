// A planned change of the primary: asked of the primary's agent, which does it or refuses; and
// watched to its end.
import type { ClusterMember, ClusterStatus } from "../core/cluster-status.ts";
import { UnderstudyError } from "../core/errors.ts";
import { chooseSuccessor } from "../core/protocol/successor.ts";
import type { ClusterRecord } from "../core/record.ts";
import {
  askAgent,
  lockCluster,
  readRecord,
  recordMember,
  type LocalCluster,
  type Operation,
  type Outcome,
  type Plan,
} from "./cluster.ts";
import { readClusterStatus, requireRunning } from "./read-status.ts";
import { refuseSharedTablespaces } from "./shared-tablespaces.ts";
import { isSettled, waitFor } from "./wait-for.ts";

export interface SwitchoverRequest {
  /** Null: the best of those that may be chosen; see chooseSuccessor. */
  readonly to: string | null;
}

const PLAN_LIMIT_MS = 10_000;

/** @throws UnderstudyError SWITCHOVER_REFUSED with the reason, MEMBER_NOT_FOUND or NO_PRIMARY. */
export async function planSwitchover(
  cluster: LocalCluster,
  request: SwitchoverRequest,
): Promise<Plan> {
  const { from, to } = await choose(cluster, request);
  await askAgent(cluster, {
    member: await addressOf(cluster, from.name),
    path: "/switchover",
    body: { to: to.name, dryRun: true },
    operation: { timeoutMs: PLAN_LIMIT_MS, signal: AbortSignal.timeout(PLAN_LIMIT_MS) },
  });
  return {
    summary: `${to.name} becomes the primary, ${from.name} its standby`,
    steps: [
      `checkpoint on ${from.name}, while writes go on`,
      `fast shutdown of ${from.name}: its clients are disconnected`,
      `wait until ${to.name} has replayed all of it (${to.replayLagBytes ?? 0} bytes now)`,
      `hand the lease to ${to.name}, which is promoted`,
      `${from.name} starts as a standby of ${to.name}`,
    ],
    facts: { from: from.name, to: to.name, lagBytes: to.replayLagBytes },
  };
}

/**
 * @throws UnderstudyError SWITCHOVER_REFUSED (nothing changed), SWITCHOVER_FAILED (undone),
 * TIMED_OUT.
 */
export async function switchover(
  cluster: LocalCluster,
  request: SwitchoverRequest,
  operation: Operation,
): Promise<Outcome> {
  using _lock = lockCluster(cluster);
  return await switchoverUnderLock(cluster, request, operation);
}

/** For a command that holds the cluster's lock already. */
export async function switchoverUnderLock(
  cluster: LocalCluster,
  request: SwitchoverRequest,
  operation: Operation,
): Promise<Outcome> {
  const { from, to } = await choose(cluster, request);
  const begun = performance.now();
  await askAgent(cluster, {
    member: await addressOf(cluster, from.name),
    path: "/switchover",
    body: { to: to.name },
    operation,
  });
  operation.onStep(`${from.name} is shut down and has handed over to ${to.name}`);
  const done = (seconds: number) => ({
    summary: `${to.name} is the primary now`,
    facts: { from: from.name, to: to.name, seconds },
  });
  if (!operation.wait) return done((performance.now() - begun) / 1000);
  const promoted = await waitFor(cluster, {
    what: `the promotion of ${to.name}`,
    // Where the successor dies in the middle it may be the old primary, or a third member.
    isSo: ({ primary }) => primary !== null,
    operation,
  });
  if (promoted.primary !== to.name)
    throw new UnderstudyError(
      "SWITCHOVER_FAILED",
      promoted.primary === from.name
        ? `${to.name} did not take over; ${from.name} leads on`
        : `${to.name} did not take over; ${promoted.primary ?? "another member"} leads now`,
    );
  operation.onStep(`${to.name} is the primary of term ${promoted.term}`);
  const seconds = (performance.now() - begun) / 1000;
  await waitFor(cluster, {
    what: `${from.name} as a standby`,
    isSo: (status) => isSettled(status, from.name),
    operation,
  });
  operation.onStep(`${from.name} streams from ${to.name}`);
  return done(seconds);
}

async function choose(
  cluster: LocalCluster,
  request: SwitchoverRequest,
): Promise<{ from: ClusterMember; to: ClusterMember }> {
  const status = requireRunning(await readClusterStatus(cluster));
  const from = status.members.find(({ name }) => name === status.primary);
  if (from === undefined)
    throw new UnderstudyError(
      "NO_PRIMARY",
      `${cluster.place.name} has no primary that could hand over`,
      {
        hint: "See why: understudy status; when the primary is gone for good: understudy failover",
      },
    );
  const record = await readRecord(cluster);
  const to = memberIn(status, request.to ?? bestIn(status, { record, from }));
  if (to.name === from.name)
    throw new UnderstudyError(
      "SWITCHOVER_REFUSED",
      `cannot switch over to ${to.name}: it is the primary already`,
    );
  await refuseSharedTablespaces(cluster, { record, code: "SWITCHOVER_REFUSED" });
  return { from, to };
}

/** @throws UnderstudyError SWITCHOVER_REFUSED where nobody may be chosen. */
function bestIn(status: ClusterStatus, of: { record: ClusterRecord; from: ClusterMember }): string {
  const standbys = status.members
    .filter(({ name }) => name !== of.from.name)
    .map(({ name, state, replayLagBytes }) => ({
      name,
      isStreaming: state === "streaming",
      replayLagBytes,
    }));
  const choice = chooseSuccessor(of.record, standbys);
  if (choice.name !== null) return choice.name;
  throw new UnderstudyError(
    "SWITCHOVER_REFUSED",
    `${status.cluster} has no standby that could be chosen: ${choice.why}`,
    { hint: "To choose one all the same: understudy switchover --to MEMBER" },
  );
}

function memberIn(status: ClusterStatus, name: string): ClusterMember {
  const member = status.members.find((each) => each.name === name);
  if (member !== undefined) return member;
  throw new UnderstudyError(
    "MEMBER_NOT_FOUND",
    `the cluster ${status.cluster} has no member ${JSON.stringify(name)}`,
    { hint: `Its members: ${status.members.map((each) => each.name).join(", ")}.` },
  );
}

async function addressOf(cluster: LocalCluster, name: string) {
  return recordMember(await readRecord(cluster), name);
}
