// Run by npm after an installation from a checkout: makes the program that is started (program.js),
// and has Node compile it once, so that the first `up` and its agents start from the compile cache.
// Only time and memory are lost where one of the two fails: the sources are a program too.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const launcher = fileURLToPath(new URL("../bin/understudy.js", import.meta.url));

/**
 * Each loads its part of the program and ends at once, because it was asked for nothing that is
 * there.
 */
const runs = [
  [launcher, "status", "--dir", "/nonexistent/understudy"],
  [launcher, "up", "--dir", "/nonexistent/understudy", "--pg-bin", "/nonexistent"],
  [launcher, "agent"],
  [launcher, "deadman"],
];

try {
  const { buildProgram } = await import("./program.js");
  await buildProgram("dist");
} catch (thrown) {
  // Without the packages for development, for example.
  process.stderr.write(`the program runs from its sources: ${String(thrown)}\n`);
}
for (const args of runs) spawnSync(process.execPath, args, { stdio: "ignore", timeout: 30_000 });
