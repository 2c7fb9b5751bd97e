// npm run simulate: `--seed N` runs one seed and prints what happened, `--seeds N` runs many on all
// cores (from `--from`, by default 1). A seed that fails is made smaller and printed with the
// command that repeats it.
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { describeFault, drawPlan } from "./faults.ts";
import { simulateMany } from "./many.ts";
import { Random } from "./random.ts";
import { shrink } from "./shrink.ts";
import { run, type RunResult } from "./world.ts";

const SHOWN_FAILURES = 20;

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    seeds: { type: "string", default: "1000" },
    from: { type: "string", default: "1" },
  },
});

process.exitCode =
  values.seed === undefined
    ? await showMany({ from: Number(values.from), count: Number(values.seeds) })
    : await showOne(Number(values.seed));

async function showOne(seed: number): Promise<number> {
  const plan = drawPlan(new Random(seed, 1));
  const result = await run({ seed, plan, keepTrace: true });
  print(`${plan.members.length} members, a lease of ${plan.ttlMs / 1_000} s`);
  for (const line of result.trace) print(line);
  print(describe(result));
  if (result.violation === null) return 0;
  const smallest = await shrink({ seed, plan }, result);
  print(`\nIt still fails with ${smallest.faults.length} of ${plan.faults.length} faults:`);
  for (const fault of smallest.faults) print(`  ${describeFault(fault)}`);
  return 1;
}

async function showMany({ from, count }: { from: number; count: number }): Promise<number> {
  const begunMs = performance.now();
  const processes = Math.min(availableParallelism(), count);
  const all = await simulateMany({ from, count, processes });
  const elapsed = (performance.now() - begunMs) / 1_000;
  print(
    `${all.seeds} seeds, ${all.failed.length} failed, in ${elapsed.toFixed(1)} s (${(all.seeds / elapsed).toFixed(1)} a second on ${processes} cores)`,
  );
  print(
    `${(all.simulatedMs / 3_600_000).toFixed(1)} hours simulated, ${all.promotions} promotions, ${all.acknowledged} commits acknowledged, ${all.lostReported} of them lost and reported`,
  );
  print(
    `after the last fault well again in ${seconds(all.recoveredAfterMs / all.seeds)} s on average, ${seconds(all.longestRecoveryMs)} s at most`,
  );
  for (const { seed, message } of all.failed.slice(0, SHOWN_FAILURES))
    print(`✗ npm run simulate -- --seed ${seed}   ${message}`);
  return all.failed.length > 0 || all.seeds < count ? 1 : 0;
}

function describe(result: RunResult): string {
  const { violation, traceHash, simulatedMs, acknowledged, promotions, recoveredAfterMs } = result;
  const outcome =
    violation === null
      ? `✓ well again ${seconds(recoveredAfterMs)} s after the last fault`
      : `✗ "${violation.invariant}" at ${seconds(violation.atMs)} s: ${violation.message}`;
  return `${outcome}; ${seconds(simulatedMs)} s simulated, ${acknowledged} commits, ${promotions} promotions, trace ${traceHash}`;
}

function seconds(ms: number): string {
  return (ms / 1_000).toFixed(1);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
