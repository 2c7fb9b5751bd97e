// One of the tools that look at the source as a whole (types, lint, format), run as if it were a
// test.
import { execFile } from "node:child_process";
import { join } from "node:path";
import type { Tally } from "./tally.ts";

const LIMIT_MS = 5 * 60_000;

/** Runs a tool of node_modules/.bin; its output is the failure's text. */
export async function runCheck(options: {
  command: readonly [string, ...string[]];
  root: string;
  signal: AbortSignal;
}): Promise<Tally> {
  const [tool, ...args] = options.command;
  const script = join(options.root, "node_modules", ".bin", tool);
  return new Promise((resolve) => {
    // The tools are scripts: run by our own Node, whatever "node" the PATH has.
    execFile(
      process.execPath,
      [script, ...args],
      { cwd: options.root, signal: options.signal, timeout: LIMIT_MS, maxBuffer: 16 << 20 },
      (error, stdout, stderr) =>
        resolve(
          error === null
            ? { passed: 1, failures: [] }
            : { passed: 0, failures: [`${tool}: ${error.message}\n${stdout}${stderr}`] },
        ),
    );
  });
}
