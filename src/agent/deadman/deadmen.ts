// The deadmen of a data directory, found by their command line: a successor relieves those that
// watched before it, and whoever stops a member for good ends them.
import { setTimeout as delay } from "node:timers/promises";
import { codeOf } from "../../core/errors.ts";
import { isStopped, listPids, readCommandLine, readLiveStat } from "../../postgres/proc.ts";
import { findPostmaster, killServer } from "../../postgres/processes.ts";
import { realPathOf } from "../../postgres/real-path.ts";

/** The word after the program's name that begins a deadman. */
export const DEADMAN_COMMAND = "deadman";

/** Another deadman watches from now on: end, and kill nothing. */
export const RELIEVE: NodeJS.Signals = "SIGUSR2";
/** Nobody is to watch: end, kill no server, and take along the agent that is just being started. */
export const DISMISS: NodeJS.Signals = "SIGTERM";

const POLL_MS = 5;
/** One that is killing is let end; one that is stopped or hung is killed after this. */
const END_LIMIT_MS = 2_000;
const KILL_LIMIT_MS = 5_000;

interface Found {
  readonly pid: number;
  readonly startTicks: number;
}

/** Of whatever user, dead ones not. Walks the process table: milliseconds. */
export function findDeadmen(dataDir: string): readonly Found[] {
  const path = realPathOf(dataDir);
  return listPids().flatMap((pid) => {
    const words = readCommandLine(pid);
    const at = words.indexOf(DEADMAN_COMMAND);
    if (at === -1 || words[at + 1] !== "--data" || realPathOf(words[at + 2] ?? "") !== path)
      return [];
    const stat = readLiveStat(pid);
    return stat === null ? [] : [{ pid, startTicks: stat.startTicks }];
  });
}

/**
 * Ends every deadman of a data directory but one's own, and returns when none is left. Having been
 * asked, one that is about to kill the server ends after that. No server is killed otherwise, but
 * one that a hung deadman had begun to kill: that one is left stopped for ever.
 * @throws UnderstudyError STOP_FAILED when such a server does not end.
 */
export async function endDeadmen(options: {
  dataDir: string;
  signal: typeof RELIEVE | typeof DISMISS;
  /** Not this one. */
  except?: number;
}): Promise<number> {
  const { dataDir, signal, except } = options;
  const asked = new Set<string>();
  const deadline = performance.now() + END_LIMIT_MS;
  for (;;) {
    const left = findDeadmen(dataDir).filter(({ pid }) => pid !== except);
    if (left.length === 0) return asked.size;
    const isOver = performance.now() > deadline;
    for (const found of left) {
      const key = `${found.pid}:${found.startTicks}`;
      if (isOver) await killHung(found, dataDir);
      else if (!asked.has(key)) sendSignal(found, signal);
      asked.add(key);
    }
    if (performance.now() > deadline + END_LIMIT_MS) return asked.size;
    await delay(POLL_MS);
  }
}

/** It may have stopped the postmaster, as a killing begins, and have come no further. */
async function killHung(found: Found, dataDir: string): Promise<void> {
  sendSignal(found, "SIGKILL");
  const postmaster = findPostmaster(dataDir);
  if (postmaster !== null && isStopped(postmaster))
    await killServer({ dataDir, timeoutMs: KILL_LIMIT_MS });
}

/** Another user's is not ours to end. */
function sendSignal(to: Found, signal: NodeJS.Signals): void {
  if (readLiveStat(to.pid)?.startTicks !== to.startTicks) return;
  try {
    process.kill(to.pid, signal);
  } catch (thrown) {
    if (codeOf(thrown) !== "ESRCH" && codeOf(thrown) !== "EPERM") throw thrown;
  }
}
