import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFECTS } from "./defects.ts";
import { findDefect } from "./find.ts";

const SEEDS = 2_000;

test("there are enough of them", () => {
  assert(DEFECTS.length >= 15);
});

for (const defect of DEFECTS)
  test(`found within ${SEEDS} seeds: ${defect.name}`, async () => {
    const found = await findDefect(defect, SEEDS);
    assert.notEqual(found, null, `no seed up to ${SEEDS} shows it`);
  });
