import assert from "node:assert/strict";
import { test } from "node:test";
import { FEWEST_FAULTS, planOf } from "./plan.ts";
import { simulateMany } from "./many.ts";
import { select } from "./selection.ts";
import { shrink } from "./shrink.ts";
import { DEFECTS } from "./defects.ts";
import { findDefect } from "./find.ts";
import { THEME_NAMES } from "./themes.ts";
import { run } from "./world.ts";

const SEEDS = 1_000;

test("a thousand seeds break nothing, and all is well after their faults", async () => {
  const tally = await simulateMany({ from: 1, count: SEEDS, processes: 2 });
  assert.equal(tally.seeds, SEEDS);
  assert.deepEqual(
    tally.failed.map(({ seed, message }) => `npm run simulate -- --seed ${seed}: ${message}`),
    [],
  );
  // They do meet what they are for.
  assert(tally.fewestFaults >= FEWEST_FAULTS, `${tally.fewestFaults} faults in a seed`);
  assert(tally.promotions > 2 * SEEDS, `${tally.promotions} promotions`);
  assert(tally.acknowledged > 500 * SEEDS, `${tally.acknowledged} commits`);
});

test("each seed is two minutes, two to five members and five faults or more", async () => {
  for (let seed = 1; seed <= 200; seed += 1) {
    const { members, faults } = planOf(seed);
    assert(members.length >= 2 && members.length <= 5, `seed ${seed}`);
    assert(faults.length >= FEWEST_FAULTS, `seed ${seed}`);
  }
  const { simulatedMs } = await run({ seed: 1, plan: planOf(1) });
  assert(simulatedMs >= 120_000);
});

test("a seed has its plan under each theme, and one of them is its own", () => {
  const own = new Set(Array.from({ length: 200 }, (_, seed) => planOf(seed).theme));
  assert.deepEqual([...own].sort(), [...THEME_NAMES].sort());
  for (const theme of THEME_NAMES) assert.equal(planOf(7, theme).theme, theme);
  const { theme } = planOf(7);
  assert.deepEqual(planOf(7, theme), planOf(7));
});

test("the same seed gives the same run, another one another", async () => {
  const hashes = [];
  for (const seed of [7, 7, 8]) {
    const { traceHash } = await run({ seed, plan: planOf(seed) });
    hashes.push(traceHash);
  }
  assert.equal(hashes[0], hashes[1]);
  assert.notEqual(hashes[0], hashes[2]);
});

test("a plan that fails is made smaller, and the smaller one fails too", async () => {
  const [defect] = DEFECTS;
  assert(defect);
  const found = await findDefect(defect, 2_000);
  assert(found);
  const plan = planOf(found.seed, defect.theme);
  const failed = await run({ seed: found.seed, plan, defect });
  const smallest = await shrink({ seed: found.seed, plan, defect }, failed);
  const { faults } = select(plan, smallest);
  assert(faults.length < plan.faults.length);
  const again = await run({ seed: found.seed, plan: select(plan, smallest), defect });
  assert.equal(again.violation?.invariant, failed.violation?.invariant);
});
