import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { formatDurationMs, parseDurationMs } from "./duration.ts";

test("a duration is read as people write it", () => {
  const cases = {
    "500ms": 500,
    "30 s": 30_000,
    "1.5h": 5_400_000,
    "5m": 300_000,
    "5MIN": 300_000,
    "2d": 172_800_000,
    "0": 0,
  };
  for (const [text, ms] of Object.entries(cases)) assert.equal(parseDurationMs(text), ms, text);
  for (const text of ["", "5", "h", "-1h", "1w", "1h30", "1e3s"])
    assert.equal(parseDurationMs(text), null, text);
});

test("what is formatted is read back as it was", () => {
  fc.assert(
    fc.property(fc.nat(10 ** 9), (ms) => {
      assert.equal(parseDurationMs(formatDurationMs(ms)), ms);
    }),
  );
  assert.equal(formatDurationMs(3_600_000), "1h");
  assert.equal(formatDurationMs(90_000), "90s");
});
