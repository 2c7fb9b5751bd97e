// Restarting members, one after the other, so that never two are away at once: standbys first, then
// the primary; and once more those standbys that wait for a value which had to become lower on the
// primary first (lesson 30).
import type { ClusterStatus } from "../core/cluster-status.ts";
import { UnderstudyError } from "../core/errors.ts";
import { awaitStreaming, type UpStep } from "./await-streaming.ts";
import {
  askAgent,
  lockCluster,
  readRecord,
  recordMember,
  type LocalCluster,
  type Operation,
  type Outcome,
} from "./cluster.ts";
import { requireItsLibraries, requireSameLibraries } from "./libraries.ts";
import { askMembers, readClusterStatus, requireRunning } from "./read-status.ts";
import { announceAndAwaitUptake } from "./uptake.ts";
import { isSettled, waitFor } from "./wait-for.ts";

/** How long a member may say that it has failed before that counts. */
const FAILED_FOR_MS = 5_000;

/** @throws UnderstudyError MEMBER_NOT_FOUND, MEMBER_UNREACHABLE, START_FAILED, TIMED_OUT. */
export async function restart(
  cluster: LocalCluster,
  request: { member: string | null },
  operation: Operation,
): Promise<Outcome> {
  using _lock = lockCluster(cluster);
  const record = await readRecord(cluster);
  if (request.member === null)
    for (const note of await requireItsLibraries(cluster)) operation.onStep(note);
  else {
    recordMember(record, request.member);
    await requireSameLibraries(cluster, request.member);
  }
  const status = requireRunning(await readClusterStatus(cluster, operation.signal));
  refuseFenced(status, request.member);
  const order = request.member === null ? restartOrder(status) : [request.member];
  for (const name of order) await restartMember(cluster, { name, operation });
  return {
    summary: order.length === 1 ? `${order[0] ?? ""} was restarted` : "every member was restarted",
    facts: { restarted: order },
  };
}

function refuseFenced(status: ClusterStatus, name: string | null): void {
  if (status.members.find((each) => each.name === name)?.fenced === true)
    throw new UnderstudyError("REFUSED", `${name} is fenced: its PostgreSQL is to stay stopped`, {
      hint: `Unfence it first: understudy unfence ${name}`,
    });
}

/** Standbys first. */
function restartOrder(status: ClusterStatus): string[] {
  const standbys = status.members.filter(({ name, fenced }) => name !== status.primary && !fenced);
  const primary = status.members.filter(({ name }) => name === status.primary);
  return [...standbys, ...primary].map(({ name }) => name);
}

/**
 * Restarts those members whose settings wait for it.
 * @returns their names, in the order of the restarts.
 */
export async function restartPending(
  cluster: LocalCluster,
  operation: Operation,
): Promise<string[]> {
  const restarted = await restartRound(cluster, operation);
  if (restarted.length === 0) return [];
  // A standby's value only becomes lower once its primary's is and it has replayed that; it is
  // rendered anew then.
  await announceAndAwaitUptake(cluster, operation);
  return [...restarted, ...(await restartRound(cluster, operation))];
}

async function restartRound(cluster: LocalCluster, operation: Operation): Promise<string[]> {
  const restarted: string[] = [];
  for (const name of restartOrder(await readClusterStatus(cluster, operation.signal)))
    if (await waitsForRestart(cluster, name)) {
      await restartMember(cluster, { name, operation });
      restarted.push(name);
    }
  return restarted;
}

async function waitsForRestart(cluster: LocalCluster, name: string): Promise<boolean> {
  const answer = (await askMembers(cluster, { record: await readRecord(cluster) })).get(name);
  return answer !== undefined && !("unreachable" in answer) && answer.pendingRestart.length > 0;
}

/**
 * Stops it and waits until another postmaster serves in its place, in the part it had or another.
 */
async function restartMember(
  cluster: LocalCluster,
  of: { name: string; operation: Operation },
): Promise<void> {
  const { name, operation } = of;
  const member = recordMember(await readRecord(cluster), name);
  const before = pidOf(await readClusterStatus(cluster, operation.signal), name);
  const failed = { sinceMs: null as number | null };
  await askAgent(cluster, { member, path: "/restart", operation });
  await waitFor(cluster, {
    what: `the restart of ${name}`,
    // All of them: after the primary's restart its standbys have to find it again.
    isSo: (status) => {
      refuseLastingFailure(status, { name, failed });
      return (
        pidOf(status, name) !== before &&
        status.members.every((each) => isSettled(status, each.name))
      );
    },
    operation,
  });
  operation.onStep(`${name} restarted`);
}

/**
 * Its agent tries again by itself; a failure that lasts is told at once, with the server's own
 * words.
 */
function refuseLastingFailure(
  status: ClusterStatus,
  of: { name: string; failed: { sinceMs: number | null } },
): void {
  const { name, failed } = of;
  const member = status.members.find((each) => each.name === name);
  if (member?.state !== "failed") {
    failed.sinceMs = null;
    return;
  }
  failed.sinceMs ??= performance.now();
  if (performance.now() - failed.sinceMs < FAILED_FOR_MS) return;
  throw new UnderstudyError(
    "START_FAILED",
    `${name} does not come up again: ${member.reason ?? "it did not say why"}`,
    { hint: `See its log: understudy logs ${name}` },
  );
}

function pidOf(status: ClusterStatus, name: string): number | null {
  return status.members.find((member) => member.name === name)?.pid ?? null;
}

/** Has every member read its settings again. */
export async function reload(cluster: LocalCluster, operation: Operation): Promise<Outcome> {
  const record = await readRecord(cluster);
  requireRunning(await readClusterStatus(cluster, operation.signal));
  const members = Object.entries(record.members);
  for (const [name, member] of members) {
    await askAgent(cluster, { member, path: "/reload", operation });
    operation.onStep(`${name} reloaded`);
  }
  return {
    summary: "every member has read its settings again",
    facts: { reloaded: members.map(([name]) => name) },
  };
}

/**
 * Throws a standby's data away, unless it holds what the primary does not, and copies the primary.
 */
export async function reclone(
  cluster: LocalCluster,
  request: { member: string; onStep: (step: UpStep) => void },
  operation: Operation,
): Promise<Outcome> {
  using _lock = lockCluster(cluster);
  const { member: name } = request;
  const member = recordMember(await readRecord(cluster), name);
  refuseFenced(requireRunning(await readClusterStatus(cluster, operation.signal)), name);
  await askAgent(cluster, { member, path: "/reclone", operation });
  operation.onStep(`${name} is stopped, its data is set aside`);
  if (operation.wait)
    await awaitStreaming(cluster, {
      only: name,
      started: new Map(),
      timeoutMs: operation.timeoutMs,
      signal: operation.signal,
      onStep: request.onStep,
    });
  return {
    summary: operation.wait
      ? `${name} was copied anew and streams`
      : `${name} is being copied anew`,
    facts: { member: name },
  };
}
