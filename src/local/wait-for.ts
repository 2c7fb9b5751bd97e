// Waits until a cluster has come to some state, and says what it has come to when that takes too
// long.
import { setTimeout as delay } from "node:timers/promises";
import type { ClusterStatus } from "../core/cluster-status.ts";
import { UnderstudyError } from "../core/errors.ts";
import type { LocalCluster, Operation } from "./cluster.ts";
import { readClusterStatus } from "./read-status.ts";

const POLL_MS = 50;

/** @throws UnderstudyError TIMED_OUT, or the signal's reason: what was asked for goes on. */
export async function waitFor(
  cluster: LocalCluster,
  wish: {
    readonly what: string;
    readonly isSo: (status: ClusterStatus) => boolean;
    readonly operation: Operation;
  },
): Promise<ClusterStatus> {
  const deadline = performance.now() + wish.operation.timeoutMs;
  for (;;) {
    const status = await readClusterStatus(cluster, wish.operation.signal);
    // An interruption has members look unreachable that are not.
    wish.operation.signal.throwIfAborted();
    if (wish.isSo(status)) return status;
    if (performance.now() > deadline)
      throw new UnderstudyError(
        "TIMED_OUT",
        `${wish.what} has not come about within ${wish.operation.timeoutMs / 1000} s, it may still: ${status.members
          .map(({ name, state }) => `${name} is ${state}`)
          .join(", ")}`,
      );
    await delay(POLL_MS);
  }
}

/** It is the primary, or streams from it, or is not to run at all. */
export function isSettled(status: ClusterStatus, name: string): boolean {
  const member = status.members.find((each) => each.name === name);
  return (
    member !== undefined &&
    (member.fenced ||
      member.state === "streaming" ||
      (status.primary === name && member.state === "running"))
  );
}
