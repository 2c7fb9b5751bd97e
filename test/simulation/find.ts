// Looks for the first seed in which a defect is found, and nothing is without it.
import type { Defect } from "./defect.ts";
import { drawPlan } from "./faults.ts";
import { Random } from "./random.ts";
import { run } from "./world.ts";
import type { Violation } from "./checkers/checker.ts";

export interface Finding {
  readonly seed: number;
  readonly violation: Violation;
}

/** Null when none of that many seeds shows it. */
export async function findDefect(defect: Defect, limit: number): Promise<Finding | null> {
  const first = defect.seenAt ?? 1;
  for (let place = 0; place < limit; place += 1) {
    const seed = ((first - 1 + place) % limit) + 1;
    const plan = drawPlan(new Random(seed, 1));
    const { violation } = await run({ seed, plan, defect });
    if (violation === null) continue;
    // What goes wrong anyway says nothing of the defect.
    const sound = await run({ seed, plan });
    if (sound.violation === null) return { seed, violation };
  }
  return null;
}
