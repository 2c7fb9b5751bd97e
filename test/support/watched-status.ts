// What `understudy status --watch --json` prints, as it comes: one process that looks again and
// again costs the machine a tenth of a process for each look, and a test that waits slows down the
// agents that it waits for.
import { createInterface } from "node:readline";
import type { ClusterStatus } from "../../src/core/cluster-status.ts";
import type { RunningCommand } from "./local-cluster.ts";

/** What a look yields: a status, or the error that a single command would have ended with. */
type Line = (ClusterStatus & { readonly at: string }) | { readonly code: string };

/**
 * Until the limit, or until nobody asks for more; the command has ended then.
 * @throws Error with the line of a look that failed, or the command's own when it ended by itself.
 */
export async function* watchedStatuses(
  command: RunningCommand,
  limitMs: number,
): AsyncGenerator<ClusterStatus, void> {
  const { child, ended } = command;
  let isOver = false;
  const timer = setTimeout(() => {
    isOver = true;
    child.kill("SIGTERM");
  }, limitMs);
  try {
    if (child.stdout === null) throw new Error("its output is not a pipe");
    for await (const line of createInterface({ input: child.stdout })) {
      const printed: Line = JSON.parse(line);
      if (!("members" in printed)) throw new Error(line);
      const { at: _, ...status } = printed;
      yield status;
    }
    if (!isOver) throw new Error(`status --watch ended: ${(await ended).stderr}`);
  } finally {
    clearTimeout(timer);
    child.kill("SIGTERM");
    // Nobody reads it any more, and unread it would never end.
    child.stdout?.resume();
    await ended;
  }
}
