// Stops all processes of a member by a signal, as a paused machine or container does, and lets them
// go on. Whatever becomes of the drill, they go on: a shell of its own waits for the drill's end
// and wakes them, and should that be killed as well, a file tells `drill --clean` which they are.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { findAgentsOf } from "../../agent/agent-processes.ts";
import { findDeadmen } from "../../agent/deadman/deadmen.ts";
import { writeWhole } from "../../postgres/write-whole.ts";
import { memberPaths } from "../../agent/member-paths.ts";
import { UnderstudyError, codeOf } from "../../core/errors.ts";
import { identityOf, isAlive, surveyServer, untilStandsStill } from "../../postgres/processes.ts";
import type { ProcessIdentity } from "../../postgres/processes.ts";
import type { LocalCluster } from "../cluster.ts";

export interface Frozen {
  /** Done twice it does nothing. */
  thaw(): Promise<void>;
}

/** Reads process numbers, one a line; wakes them when no more can come. */
const GUARD = 'pids=; while read -r pid; do pids="$pids $pid"; done; kill -CONT $pids';

/** @throws UnderstudyError REFUSED when one of them may not be signalled: all go on again then. */
export async function freezeMember(cluster: LocalCluster, member: string): Promise<Frozen> {
  const { root } = cluster.paths;
  const { data } = memberPaths(root, member);
  const frozen: ProcessIdentity[] = [];
  const guard = startGuard();
  const stop = async (pids: readonly number[]) => {
    const found = pids.map((pid) => identityOf(pid)).filter((identity) => identity !== null);
    frozen.push(...found);
    // Written down before the first of them stops.
    await writeWhole(journalOf(cluster), `${JSON.stringify({ frozen })}\n`);
    for (const { pid } of found) guard.stdin?.write(`${pid}\n`);
    for (const each of found) sendTo(each, "SIGSTOP");
    await untilStandsStill(found.map(({ pid }) => pid));
  };
  const thaw = async () => {
    wake(frozen);
    await rm(journalOf(cluster), { force: true });
    await endGuard(guard);
  };
  try {
    // The deadman before all: it ends a server whose agent stands still.
    await stop(findDeadmen(data).map(({ pid }) => pid));
    await stop(findAgentsOf(root, member).map(({ stat }) => stat.pid));
    const { postmaster } = surveyServer(data);
    // Only the postmaster forks: with it stopped, the list of the others is complete.
    if (postmaster !== null) await stop([postmaster.pid]);
    const { processes } = surveyServer(data);
    await stop(processes.map(({ pid }) => pid).filter((pid) => pid !== postmaster?.pid));
    return { thaw };
  } catch (thrown) {
    await thaw();
    throw thrown;
  }
}

/** Wakes what an earlier drill that was killed has left frozen. @returns how many processes. */
export async function thawLeftovers(cluster: LocalCluster): Promise<number> {
  const left = await readLeftovers(cluster);
  wake(left);
  await rm(journalOf(cluster), { force: true });
  return left.length;
}

/** What an earlier drill froze and did not live to wake. */
export async function readLeftovers(cluster: LocalCluster): Promise<ProcessIdentity[]> {
  const text = await readFile(journalOf(cluster), "utf8").catch((thrown: unknown) => {
    if (codeOf(thrown) === "ENOENT") return null;
    throw thrown;
  });
  if (text === null) return [];
  const { frozen }: { frozen: ProcessIdentity[] } = JSON.parse(text);
  return frozen.filter((identity) => isAlive(identity));
}

function journalOf(cluster: LocalCluster): string {
  return join(cluster.paths.root, "drill.json");
}

/** In a session of its own, so that Ctrl-C on the drill's terminal does not end it first. */
function startGuard(): ChildProcess {
  const guard = spawn("/bin/sh", ["-c", GUARD], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
    cwd: "/",
  });
  guard.on("error", () => {});
  guard.stdin?.on("error", () => {});
  guard.unref();
  return guard;
}

async function endGuard(guard: ChildProcess): Promise<void> {
  const isOver = guard.exitCode !== null || guard.signalCode !== null || guard.pid === undefined;
  guard.stdin?.end();
  if (!isOver) await once(guard, "exit");
}

function wake(processes: readonly ProcessIdentity[]): void {
  // The server first, the deadman last: each would draw conclusions from the others' standing
  // still.
  for (const each of processes.toReversed()) sendTo(each, "SIGCONT");
}

function sendTo(process_: ProcessIdentity, signal: "SIGSTOP" | "SIGCONT"): void {
  if (!isAlive(process_)) return;
  try {
    process.kill(process_.pid, signal);
  } catch (cause) {
    if (codeOf(cause) === "ESRCH") return;
    throw new UnderstudyError(
      "REFUSED",
      `process ${process_.pid} belongs to another user, and may not be sent ${signal}`,
      { cause, hint: "Run the drill as the user that owns the cluster." },
    );
  }
}
