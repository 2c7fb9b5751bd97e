// Looks for the first seed in which a defect is found, and nothing is without it.
import type { Defect } from "./defect.ts";
import { planOf } from "./plan.ts";
import { run } from "./world.ts";
import type { Violation } from "./checkers/checker.ts";

export interface Finding {
  readonly seed: number;
  readonly violation: Violation;
}

/** Null when none of that many seeds shows it. */
export async function findDefect(defect: Defect, limit: number): Promise<Finding | null> {
  for (let seed = 1; seed <= limit; seed += 1) {
    const plan = planOf(seed, defect.theme);
    const { violation } = await run({ seed, plan, defect });
    if (violation === null) continue;
    // What goes wrong anyway says nothing of the defect.
    const sound = await run({ seed, plan });
    if (sound.violation === null) return { seed, violation };
  }
  return null;
}
