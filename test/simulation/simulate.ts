// npm run simulate: `--seeds N` runs many on all cores or `--processes N` (from `--from`, by
// default
// 1), `--seed N` runs one and prints what happened, whole or only some of its faults (`--only 2,5`,
// `--calm`). A seed that fails is made smaller and printed with the command that repeats it.
// `--theme NAME` has the plans drawn under that theme, `--defect TEXT` puts the deliberate defect
// with TEXT in its name into that one run.
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { NO_DEFECT, type Defect } from "./defect.ts";
import { DEFECTS } from "./defects.ts";
import { describeFault } from "./faults.ts";
import { simulateMany, type Progress } from "./many.ts";
import { planOf } from "./plan.ts";
import { WHOLE, formatSelection, parseOnly, select, type Selection } from "./selection.ts";
import { THEME_NAMES, type ThemeName } from "./themes.ts";
import { shrink } from "./shrink.ts";
import { summarize } from "./summary.ts";
import { run, type RunResult } from "./world.ts";

/** Named while it runs; at the end all are. */
const SHOWN_FAILURES = 20;
/** Of these the smallest plan is looked for, which takes a second each. */
const SHRUNK_FAILURES = 5;
/** Where nobody watches, a line is written seldom. */
const QUIET_MS = 15_000;

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    seeds: { type: "string", default: "1000" },
    from: { type: "string", default: "1" },
    processes: { type: "string" },
    only: { type: "string" },
    calm: { type: "boolean", default: false },
    theme: { type: "string" },
    defect: { type: "string" },
  },
});
const theme = parseTheme(values.theme);
const defect = values.defect === undefined ? NO_DEFECT : defectNamed(values.defect);

process.exitCode =
  values.seed === undefined
    ? await showMany({ from: Number(values.from), count: Number(values.seeds) })
    : await showOne(Number(values.seed), { only: parseOnly(values.only), calm: values.calm });

async function showOne(seed: number, selection: Selection): Promise<number> {
  const plan = select(planOf(seed, theme), selection);
  const result = await run({ seed, plan, defect, keepTrace: true });
  print(`${plan.members.length} members, a lease of ${plan.ttlMs / 1_000} s, theme ${plan.theme}`);
  for (const line of result.trace) print(line);
  print(describe(result));
  if (result.violation === null) return 0;
  // A part of a plan is what somebody wanted to see.
  if (selection.only === null) await showSmallest(seed, result);
  return 1;
}

async function showSmallest(seed: number, failed: RunResult): Promise<void> {
  const plan = planOf(seed, theme);
  const smallest = await shrink({ seed, plan, defect }, failed);
  const numbers = smallest.only ?? WHOLE.only ?? [];
  const how = smallest.calm ? ", the network at rest and clocks that run alike" : "";
  print(`\nIt still fails with ${numbers.length} of ${plan.faults.length} faults${how}:`);
  for (const [place, fault] of plan.faults.entries())
    if (numbers.includes(place + 1)) print(`  ${place + 1}. ${describeFault(fault)}`);
  print(`  npm run simulate -- --seed ${seed}${asked()}${formatSelection(smallest)}`);
}

async function showMany({ from, count }: { from: number; count: number }): Promise<number> {
  const begunMs = performance.now();
  const asMany = Number(values.processes ?? availableParallelism());
  const processes = Math.min(asMany, count);
  const all = await simulateMany({ from, count, processes, theme, onProgress: progressOf(count) });
  if (process.stderr.isTTY) process.stderr.write("\r\u001b[K");
  const command = `npm run simulate -- --seeds ${count}${from === 1 ? "" : ` --from ${from}`}${asked()}`;
  const elapsedMs = performance.now() - begunMs;
  for (const line of summarize(all, { command, elapsedMs, processes })) print(line);
  for (const { seed, message } of all.failed)
    print(`\n✗ npm run simulate -- --seed ${seed}${asked()}   ${message}`);
  for (const { seed } of all.failed.slice(0, SHRUNK_FAILURES)) {
    print(`\nSeed ${seed}`);
    await showSmallest(seed, await run({ seed, plan: planOf(seed, theme) }));
  }
  return all.failed.length > 0 || all.seeds < count ? 1 : 0;
}

/** The arguments that repeat what is asked for beside the seed. */
function asked(): string {
  return `${theme === undefined ? "" : ` --theme ${theme}`}${defect === NO_DEFECT ? "" : ` --defect "${defect.name}"`}`;
}

function parseTheme(text: string | undefined): ThemeName | undefined {
  const name = THEME_NAMES.find((each) => each === text);
  if (text !== undefined && name === undefined)
    throw new Error(`there is no theme ${text}, only ${THEME_NAMES.join(", ")}`);
  return name;
}

function defectNamed(text: string): Defect {
  const named = DEFECTS.find(({ name }) => name.includes(text));
  if (named === undefined) throw new Error(`no defect has "${text}" in its name`);
  return named;
}

function progressOf(count: number): (progress: Progress) => void {
  const begunMs = performance.now();
  let shownMs = begunMs;
  return ({ seeds, failed }) => {
    const nowMs = performance.now();
    if (!process.stderr.isTTY && nowMs - shownMs < QUIET_MS) return;
    shownMs = nowMs;
    const aSecond = (seeds * 1_000) / (nowMs - begunMs);
    const left = Math.ceil((count - seeds) / Math.max(aSecond, 0.1));
    const named = failed.length === 0 ? "" : ` (${failed.slice(0, SHOWN_FAILURES).join(", ")})`;
    const line = `${seeds.toLocaleString("en")} of ${count.toLocaleString("en")} seeds, ${aSecond.toFixed(1)} a second, ${failed.length} failed${named}, ${left} s left`;
    process.stderr.write(process.stderr.isTTY ? `\r\u001b[K${line}` : `${line}\n`);
  };
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
