// From a plan that fails to a smallest one: faults are left out one by one for as long as it still
// fails with the same invariant.
import type { Plan } from "./faults.ts";
import { run, type RunOptions, type RunResult } from "./world.ts";

export async function shrink(options: RunOptions, failed: RunResult): Promise<Plan> {
  const fails = async (plan: Plan) =>
    (await run({ ...options, plan })).violation?.invariant === failed.violation?.invariant;
  let { plan } = options;
  for (let isSmaller = true; isSmaller;) {
    isSmaller = false;
    for (const left of plan.faults) {
      const smaller = { ...plan, faults: plan.faults.filter((fault) => fault !== left) };
      if (!(await fails(smaller))) continue;
      plan = smaller;
      isSmaller = true;
      break;
    }
  }
  return plan;
}
