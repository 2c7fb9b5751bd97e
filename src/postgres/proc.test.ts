import assert from "node:assert/strict";
import { test } from "node:test";
import { parseStat } from "./proc.ts";

const REST = "0 0 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 146931 219 5 18446744073709551615";

test("a process's line gives its name, state, parent and start", () => {
  assert.deepEqual(parseStat(`12639 (postgres) S 12632 ${REST}`), {
    pid: 12639,
    name: "postgres",
    state: "S",
    parent: 12632,
    startTicks: 146931,
  });
});

test("blanks and brackets in a name, and an S behind them, confuse nothing", () => {
  const stat = parseStat(`7 (post) S 1 (gres) Z 12632 ${REST}`);
  assert.deepEqual([stat?.name, stat?.state, stat?.parent], ["post) S 1 (gres", "Z", 12632]);
});

test("what is no such line names no process", () => {
  for (const text of ["", "7", "7 (x", "x (postgres) S 1 2", "(postgres) S 1"])
    assert.equal(parseStat(text), null, text);
});
