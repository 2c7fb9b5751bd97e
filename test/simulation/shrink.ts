// From a plan that fails to a smallest one: what can be left out while the same invariant is still
// broken is left out, first much at once, then one by one.
import type { Plan } from "./plan.ts";
import { WHOLE, select, type Selection } from "./selection.ts";
import { run, type RunOptions, type RunResult } from "./world.ts";

export async function shrink(options: RunOptions, failed: RunResult): Promise<Selection> {
  const { plan } = options;
  const fails = async (selection: Selection): Promise<boolean> => {
    const { violation } = await run({ ...options, plan: select(plan, selection) });
    return violation !== null && violation.invariant === failed.violation?.invariant;
  };
  const calm = await fails({ ...WHOLE, calm: true });
  const only = await shrinkFaults(plan, (faults) => fails({ only: faults, calm }));
  // With fewer faults it may be so without the rest as well.
  const isCalm = calm || (await fails({ only, calm: true }));
  return { only, calm: isCalm };
}

async function shrinkFaults(
  plan: Plan,
  fails: (faults: readonly number[]) => Promise<boolean>,
): Promise<readonly number[]> {
  let faults: readonly number[] = plan.faults.map((_, place) => place + 1);
  for (let size = Math.ceil(faults.length / 2); size > 0;) {
    const before = faults.length;
    for (let from = 0; from < faults.length;) {
      const smaller = [...faults.slice(0, from), ...faults.slice(from + size)];
      if (await fails(smaller)) faults = smaller;
      else from += size;
    }
    if (size === 1 && faults.length === before) break;
    size = size === 1 ? 1 : Math.ceil(size / 2);
  }
  return faults;
}
