import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { keptName } from "./kept-name.ts";

test("a name tells the time", () => {
  assert.equal(keptName(new Date("2026-11-22T12:18:02.123Z")), "2026-11-22T12-18-02-123Z");
});

test("what stands beside it and has another form does not count", () => {
  const now = new Date("2026-11-22T12:18:02.123Z");
  assert.equal(keptName(now, ["zzz", "2027-01-01"]), "2026-11-22T12-18-02-123Z");
});

test("each sorts after all that are there, however the clock is set", () => {
  const times = fc.date({
    min: new Date("2000-01-01"),
    max: new Date("2100-01-01"),
    noInvalidDate: true,
  });
  fc.assert(
    fc.property(fc.array(times, { maxLength: 20 }), (clock) => {
      const names: string[] = [];
      for (const now of clock) names.push(keptName(now, names));
      assert.deepEqual(names.toSorted(), names);
      assert.equal(new Set(names).size, names.length);
    }),
  );
});
