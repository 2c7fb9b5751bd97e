import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { pauseMs } from "./backoff.ts";

const BACKOFF = { firstMs: 100, limitMs: 30_000 };

test("a pause is never longer than the limit, and never shorter than half of the first", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5_000 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (failures, chance) => {
        const pause = pauseMs(BACKOFF, { failures, chance });
        assert.ok(pause >= 50 && pause <= 30_000, `${pause} ms`);
      },
    ),
  );
});

test("pauses double until the limit", () => {
  const pauses = [1, 2, 3, 9, 10, 60].map((failures) => pauseMs(BACKOFF, { failures, chance: 1 }));
  assert.deepEqual(pauses, [100, 200, 400, 25_600, 30_000, 30_000]);
});
