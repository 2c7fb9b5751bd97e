// Runs test files with Node's own runner in a child process, with a limit, in a temporary directory
// of their own (TMPDIR) that must be empty afterwards, with no process left in it.
import { chmodSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "node:test";
import { leaksIn, processesIn } from "./leaks.ts";
import { tallyOf, type Tally } from "./tally.ts";

const LIMIT_MS = 10 * 60_000;
const PRELOADED = ["compiled.ts", "both-errors.ts"];

/** @param isolation "none": all files in one child process; "process": one file, alone. */
export async function runTestFiles(options: {
  files: readonly string[];
  isolation: "none" | "process";
  root: string;
  /** For the environment, beside our own. */
  variables: Readonly<Record<string, string>>;
  signal: AbortSignal;
}): Promise<Tally> {
  const directory = mkdtempSync(join(realpathSync(tmpdir()), "ust-"));
  // Tests go on as another user where root may not, so everybody may write there, as in /tmp.
  chmodSync(directory, 0o1777);
  try {
    const limit = AbortSignal.any([options.signal, AbortSignal.timeout(LIMIT_MS)]);
    const files = options.files.map((file) => join(options.root, file));
    const events = run({
      files: options.isolation === "process" ? files : [join(import.meta.dirname, "together.ts")],
      cwd: options.root,
      execArgv: PRELOADED.flatMap((name) => ["--import", join(import.meta.dirname, name)]),
      signal: limit,
      env: {
        ...process.env,
        ...options.variables,
        TMPDIR: directory,
        ...(options.isolation === "none" ? { UNDERSTUDY_TEST_FILES: files.join("\n") } : {}),
      },
    });
    const tally = await tallyOf(events);
    return { ...tally, failures: [...tally.failures, ...leaksIn(directory)] };
  } finally {
    for (const { pid } of processesIn(directory)) endProcess(pid);
    rmSync(directory, { recursive: true, force: true });
  }
}

/** A leaked process has been reported; it must not disturb the files that follow. */
function endProcess(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // it has just ended by itself
  }
}
