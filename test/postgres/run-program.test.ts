import assert from "node:assert/strict";
import { test } from "node:test";
import { UnderstudyError } from "../../src/core/errors.ts";
import { runProgram } from "../../src/postgres/run-program.ts";

const isError = (code: string, text: RegExp) => (thrown: unknown) =>
  thrown instanceof UnderstudyError && thrown.code === code && text.test(thrown.message);

test("a program's status and both streams come back, and no shell reads its arguments", async () => {
  const result = await runProgram({
    program: "/bin/sh",
    args: ["-c", 'echo "$1"; echo problem >&2; exit 3', "sh", "a b; $HOME `id`"],
    timeoutMs: 5_000,
  });
  assert.deepEqual(result, {
    status: 3,
    signal: null,
    stdout: "a b; $HOME `id`\n",
    stderr: "problem\n",
    truncated: false,
  });
});

test("input reaches the program, and one that does not read it is no failure", async () => {
  const echoed = await runProgram({ program: "cat", args: [], input: "text", timeoutMs: 5_000 });
  assert.equal(echoed.stdout, "text");
  const deaf = await runProgram({
    program: "true",
    args: [],
    input: "x".repeat(1_000_000),
    timeoutMs: 5_000,
  });
  assert.equal(deaf.status, 0);
});

test("at the deadline the program is killed and the error says what it was doing", async () => {
  const started = performance.now();
  await assert.rejects(
    runProgram({
      program: "/bin/sh",
      args: ["-c", "echo waiting for a friend >&2; exec sleep 60"],
      timeoutMs: 300,
    }),
    isError("TIMED_OUT", /within 300 ms.*waiting for a friend/),
  );
  assert.ok(performance.now() - started < 5_000);
});

test("a descendant that keeps the pipes open does not keep the result back", async () => {
  const started = performance.now();
  const result = await runProgram({
    program: "/bin/sh",
    args: ["-c", "sleep 8 & echo $!"],
    timeoutMs: 20_000,
  });
  process.kill(Number(result.stdout.trim()), "SIGKILL");
  assert.equal(result.status, 0);
  assert.ok(performance.now() - started < 5_000);
});

test("an abort kills the program and gives the reason", async () => {
  const abort = new AbortController();
  const running = runProgram({
    program: "sleep",
    args: ["60"],
    timeoutMs: 30_000,
    signal: abort.signal,
  });
  abort.abort(new Error("no longer wanted"));
  await assert.rejects(running, /no longer wanted/);
});

test("a program that is not there is named, with the system's code", async () => {
  await assert.rejects(
    runProgram({ program: "/nonexistent/initdb", args: [], timeoutMs: 1_000 }),
    (thrown: unknown) =>
      isError("PROGRAM_FAILED", /cannot run \/nonexistent\/initdb/)(thrown) &&
      thrown instanceof UnderstudyError &&
      thrown.details["code"] === "ENOENT",
  );
});

test("output is bounded: the end is kept", async () => {
  const result = await runProgram({
    program: "/bin/sh",
    args: ["-c", "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done"],
    timeoutMs: 20_000,
    maxOutputBytes: 1_000,
  });
  assert.equal(result.stdout.length, 1_000);
  assert.ok(result.stdout.endsWith("line 19999\n"));
  assert.equal(result.truncated, true);
});
