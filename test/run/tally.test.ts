import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { leaksIn, processesIn } from "../support/run/leaks.ts";
import { tallyOf, type TestEvent } from "../support/run/tally.ts";

async function* eventsOf(events: readonly TestEvent[]): AsyncGenerator<TestEvent> {
  yield* events;
}

test("counts tests, not suites, and a failure once, where it happened", async () => {
  const file = "/x/a.test.ts";
  const tally = await tallyOf(
    eventsOf([
      { type: "test:pass", data: { name: "one", file, details: { type: "test" } } },
      { type: "test:pass", data: { name: "group", file, details: { type: "suite" } } },
      { type: "test:stdout", data: { file, message: "said by the test" } },
      { type: "test:fail", data: { name: "two", file, details: { error: new Error("broken") } } },
      {
        type: "test:fail",
        data: { name: file, file, details: { error: { failureType: "subtestsFailed" } } },
      },
    ]),
  );
  assert.equal(tally.passed, 1);
  assert.equal(tally.failures.length, 1);
  assert.match(tally.failures[0] ?? "", /^two\n[^]*broken[^]*said by the test/);
});

test("a file without any test fails", async () => {
  const file = "/x/a.test.ts";
  const empty = { type: "test:pass", data: { name: file, file, details: { type: "test" } } };
  assert.deepEqual((await tallyOf(eventsOf([empty]))).failures, ["there is no test in it"]);
});

test("a process and a file left in the directory are found, and nothing is found when they are gone", async () => {
  const directory = mkdtempSync(join(tmpdir(), "leaks-"));
  const sleeper = spawn("sleep", ["60"], { cwd: directory, stdio: "ignore" });
  try {
    await once(sleeper, "spawn");
    writeFileSync(join(directory, "forgotten"), "");
    assert.deepEqual(
      processesIn(directory).map(({ pid }) => pid),
      [sleeper.pid],
    );
    assert.deepEqual(leaksIn(directory), [
      `left behind: process ${sleeper.pid} (sleep 60)`,
      `left behind: the file ${directory}/forgotten`,
    ]);
  } finally {
    sleeper.kill("SIGKILL");
    await once(sleeper, "exit");
    rmSync(join(directory, "forgotten"));
  }
  assert.deepEqual(leaksIn(directory), []);
  rmSync(directory, { recursive: true });
});

test("of a failed test whose cleaning up fails too, both reasons are told", async () => {
  const root = mkdtempSync(join(tmpdir(), "both-"));
  const both = `import { test } from "node:test";
    const left = { async [Symbol.asyncDispose]() { throw new Error("the later one"); } };
    test("fails", async () => { await using _left = left; throw new Error("the first one"); });`;
  writeFileSync(join(root, "both.test.ts"), both);
  try {
    const runner = join(import.meta.dirname, "../support/run/test-files.ts");
    // Node runs no tests within a test: in a process of its own that does not know of this one.
    const { NODE_TEST_CONTEXT: _ours, ...env } = process.env;
    const program = `import { runTestFiles } from ${JSON.stringify(runner)};
      const signal = new AbortController().signal;
      const run = { files: ["both.test.ts"], isolation: "process", root: ${JSON.stringify(root)}, signal };
      process.stdout.write((await runTestFiles(run)).failures.join());`;
    const path = join(root, "program.ts");
    writeFileSync(path, program);
    const said = execFileSync(process.execPath, [path], { env, encoding: "utf8", timeout: 60_000 });
    assert.match(said, /it failed: Error: the first one[^]*cleaning up.*the later one/);
  } finally {
    rmSync(root, { recursive: true });
  }
});
