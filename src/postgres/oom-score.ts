// Which processes the kernel ends first when memory runs out: -1000 never, 1000 first of all
// (proc(5), oom_score_adj). Raising it is always allowed; lowering it below what a privileged
// process once set is not.
import { readFileSync, writeFileSync } from "node:fs";

type Which = number | "self";

/** Null where it may not be read. */
export function readOomScore(which: Which = "self"): number | null {
  try {
    return Number(readFileSync(`/proc/${which}/oom_score_adj`, "utf8"));
  } catch {
    return null;
  }
}

/** Takes the first of these that is permitted, the best first; where none is, it stays. */
export function setOomScore(which: Which, wanted: readonly number[]): void {
  for (const score of wanted)
    try {
      writeFileSync(`/proc/${which}/oom_score_adj`, String(score));
      return;
    } catch {
      // Not permitted, or the process has just ended.
    }
}
