// `npm test`: type check, lint and format, then every test file: pure ones (beside the source) all
// in one process, those in test/ a process each, UNDERSTUDY_TEST_CONCURRENCY at a time (one more
// than there are processors, at most 4, where nothing is said). `npm test -- PATTERN` runs what has
// PATTERN in its path or name. The last line is the result. What needs root or a real Kubernetes
// comes last, where there is one, and is named where there is none.
import { globSync } from "node:fs";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { runCheck } from "./support/run/check.ts";
import { SharedRoom } from "./support/run/shared-room.ts";
import { runTestFiles } from "./support/run/test-files.ts";
import type { Tally } from "./support/run/tally.ts";
import { whyNoKubernetes, whyNoNodes } from "./kubernetes/cluster/home.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** What does not run everywhere. Of Kubernetes, each starts an API server, or nodes with it. */
const CONDITIONAL = {
  "test/image/first-process.test.ts": whyNotRoot,
  "test/postgres/processes-of-others.test.ts": whyNotRoot,
  "test/kubernetes/real/": whyNoKubernetes,
  "test/kubernetes/nodes/": whyNoNodes,
};
const CHECKS = {
  typecheck: ["tsc", "--noEmit"],
  lint: ["oxlint", "--deny-warnings"],
  format: ["oxfmt", "--check"],
} as const;

interface Job {
  readonly name: string;
  readonly run: (signal: AbortSignal) => Promise<Tally>;
}

const interrupt = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => interrupt.abort());
process.exitCode = await main(process.argv.slice(2));

async function main(patterns: readonly string[]): Promise<number> {
  const wanted = (name: string) =>
    patterns.length === 0 || patterns.some((pattern) => name.includes(pattern));
  const total = { passed: 0, failed: 0 };
  using shared = new SharedRoom();
  const queue = jobs(wanted, shared);
  const concurrency = Number(process.env["UNDERSTUDY_TEST_CONCURRENCY"] ?? usualConcurrency());
  const worker = async () => {
    for (let job = queue.shift(); job !== undefined; job = queue.shift()) {
      if (interrupt.signal.aborted) break;
      const tally = await perform(job);
      total.passed += tally.passed;
      total.failed += tally.failures.length;
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, concurrency) }, worker));
  if (interrupt.signal.aborted) total.failed += queue.length;
  process.stdout.write(`${total.passed} passed, ${total.failed} failed\n`);
  return total.failed > 0 || total.passed === 0 ? 1 : 0;
}

/** A test of a cluster waits for a third of its time; each has three servers and their agents. */
function usualConcurrency(): number {
  return Math.min(availableParallelism() + 1, 4);
}

function jobs(wanted: (name: string) => boolean, { variables }: SharedRoom): Job[] {
  const checks = Object.entries(CHECKS).map(([name, command]) => ({
    name,
    run: (signal: AbortSignal) => runCheck({ command, root: ROOT, signal }),
  }));
  const beside = filesOf("src/**/*.test.ts");
  const pure = wanted("pure test files") ? beside : beside.filter(wanted);
  const together = {
    name: `${pure.length} pure test files`,
    run: (signal: AbortSignal) =>
      runTestFiles({ files: pure, isolation: "none", root: ROOT, variables, signal }),
  };
  const alone = filesOf("test/**/*.test.ts")
    .filter(wanted)
    .map((name) => ({
      name,
      run: (signal: AbortSignal) =>
        runTestFiles({ files: [name], isolation: "process", root: ROOT, variables, signal }),
    }));
  const conditional = Object.entries(CONDITIONAL).map(([path, obstacle]) => ({
    path,
    obstacle: obstacle(),
    files: alone.filter(({ name }) => name.startsWith(path)),
  }));
  for (const { path, obstacle, files } of conditional)
    if (obstacle !== null && files.length > 0) {
      const what = path.endsWith("/") ? `${files.length} files in ${path} are` : `${path} is`;
      process.stderr.write(`- ${what} not run here: ${obstacle}\n`);
    }
  const last = new Set(conditional.flatMap(({ files }) => files));
  return [
    ...checks.filter(({ name }) => wanted(name)),
    ...(pure.length > 0 ? [together] : []),
    ...alone.filter((job) => !last.has(job)),
    ...conditional.flatMap(({ obstacle, files }) => (obstacle === null ? files : [])),
  ];
}

function whyNotRoot(): string | null {
  return process.getuid?.() === 0 ? null : "it needs root";
}

async function perform(job: Job): Promise<Tally> {
  const start = performance.now();
  const tally = await job.run(interrupt.signal);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const mark = tally.failures.length === 0 ? "✓" : "✗";
  const failed = tally.failures.length === 0 ? "" : `, ${tally.failures.length} failed`;
  process.stderr.write(`${mark} ${job.name}  ${tally.passed} passed${failed}  ${seconds} s\n`);
  for (const failure of tally.failures) process.stderr.write(`  ✗ ${failure}\n`);
  return tally;
}

function filesOf(pattern: string): string[] {
  return globSync(pattern, { cwd: ROOT }).sort();
}
