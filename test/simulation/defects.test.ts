import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFECTS } from "./defects.ts";
import { findDefect } from "./find.ts";

/** One in fifty shows the one that is hardest to find. */
const SEEDS = 2_000;

test("there are enough of them", () => {
  assert(DEFECTS.length >= 15);
});

for (const defect of DEFECTS)
  test(`found within ${SEEDS} seeds: ${defect.name}`, async (t) => {
    const found = await findDefect(defect, SEEDS);
    assert(found, `no seed up to ${SEEDS} shows it`);
    const theme = defect.theme === undefined ? "" : ` --theme ${defect.theme}`;
    t.diagnostic(`npm run simulate -- --seed ${found.seed}${theme} --defect "${defect.name}"`);
  });
