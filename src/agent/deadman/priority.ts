// The highest priority that this process can get, for a deadman that must act while the machine is
// busy or short of memory; and back to the usual one, for what it starts.
import { writeFileSync, readFileSync } from "node:fs";
import { getPriority, setPriority } from "node:os";

export interface Priority {
  /** -20 is the highest; 0 is what everybody has. */
  readonly nice: number;
  /** -1000: the kernel never ends it for want of memory. Null where that is not to be read. */
  readonly oomScoreAdj: number | null;
}

/** What is not permitted is left as it is. @returns what was reached. */
export function raisePriority(): Priority {
  // RLIMIT_NICE may permit some of it to a user who is not root.
  for (const nice of [-20, -15, -10, -5, -1]) if (tryNice(0, nice)) break;
  for (const score of [-1000, -500, 0]) if (tryOomScore("self", score)) break;
  return { nice: getPriority(0), oomScoreAdj: readOomScore() };
}

/** Children inherit both, and PostgreSQL would from an agent. */
export function usualPriority(pid: number): void {
  tryNice(pid, 0);
  tryOomScore(pid, 0);
}

function tryNice(pid: number, nice: number): boolean {
  try {
    setPriority(pid, nice);
    return true;
  } catch {
    return false;
  }
}

function tryOomScore(pid: number | "self", score: number): boolean {
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, String(score));
    return true;
  } catch {
    return false;
  }
}

function readOomScore(): number | null {
  try {
    return Number(readFileSync("/proc/self/oom_score_adj", "utf8"));
  } catch {
    return null;
  }
}
