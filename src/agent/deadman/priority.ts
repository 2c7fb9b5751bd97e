// The highest priority that a deadman can get, as it must act while the machine is busy or short of
// memory; and the usual one for everything else. It is started when root has been dropped for good,
// so root hands down beforehand what the user may then take (docs/decisions/0010).
import { readdirSync } from "node:fs";
import { getPriority, setPriority } from "node:os";
import { readOomScore, setOomScore } from "../../postgres/oom-score.ts";
import { runProgram } from "../../postgres/run-program.ts";

export interface Priority {
  /** -20 is the highest; 0 is what everybody has. */
  readonly nice: number;
  /** -1000: the kernel never ends it for want of memory. Null where that is not to be read. */
  readonly oomScoreAdj: number | null;
}

/**
 * What this agent's first ancestor had: a deadman hands its own down to the agent that it starts.
 */
const USUAL_VARIABLE = "UNDERSTUDY_USUAL_PRIORITY";
const HIGHEST_NICE = -20;
const LIMIT_MS = 2_000;

/** What is not permitted is left as it is. @returns what was reached. */
export function raisePriority(): Priority {
  // RLIMIT_NICE may permit some of it to a user who is not root.
  for (const nice of [HIGHEST_NICE, -15, -10, -5, -1])
    if (nice < getPriority(0) && tryNice(0, nice)) break;
  setOomScore(
    "self",
    [-1000, -500, 0].filter((score) => score < (readOomScore() ?? 0)),
  );
  return { nice: getPriority(0), oomScoreAdj: readOomScore() };
}

/** To be called by every agent, before anything is raised. */
export function rememberUsualPriority(): void {
  process.env[USUAL_VARIABLE] ??= `${getPriority(0)} ${readOomScore() ?? 0}`;
}

/**
 * For root, before it becomes another user: that user's processes may raise themselves from now on,
 * and where that cannot be permitted they inherit what this one has.
 */
export async function permitHighPriority(): Promise<void> {
  raisePriority();
  const limit = `--nice=${20 - HIGHEST_NICE}:${20 - HIGHEST_NICE}`;
  const args = ["--pid", String(process.pid), limit];
  // Not every system has it.
  await runProgram({ program: "prlimit", args, timeoutMs: LIMIT_MS }).catch(() => {});
}

/** For an agent, once its deadman is started: PostgreSQL is to have what everybody has. */
export function takeUsualPriority(): void {
  const usual = usualPriority();
  // Each thread has its own.
  for (const thread of readdirSync("/proc/self/task")) tryNice(Number(thread), usual.nice);
  setOomScore("self", [usual.oomScoreAdj]);
}

export function usualPriority(): { readonly nice: number; readonly oomScoreAdj: number } {
  const [nice = 0, oomScoreAdj = 0] = (process.env[USUAL_VARIABLE] ?? "").split(" ").map(Number);
  return { nice: nice || 0, oomScoreAdj: oomScoreAdj || 0 };
}

function tryNice(pid: number, nice: number): boolean {
  try {
    setPriority(pid, nice);
    return true;
  } catch {
    return false;
  }
}
