// Mistakes of the product that whole runs have found and that come too seldom for a deliberate
// defect: the faults that did it, over again with other chances. Without the safeguard some of
// these runs fail, and with it none.
import assert from "node:assert/strict";
import { test } from "node:test";
import { termOfTimeline } from "../../src/core/protocol/election.ts";
import { isOnOtherTimeline } from "../../src/core/protocol/slots.ts";
import { NO_DEFECT } from "./defect.ts";
import type { Fault } from "./faults.ts";
import { reachedTimeline } from "./model/election.ts";
import { openTurn } from "./model/rewind-turn.ts";
import type { Steps } from "./model/steps.ts";
import { planOf, type Plan } from "./plan.ts";
import { run } from "./world.ts";

const SEEDS = 30;

const UNREACHED: readonly Fault[] = [
  {
    atMs: 20_039,
    kind: "network is cut in one direction",
    member: "a standby",
    other: "tre",
    lastsMs: 16_000,
    moment: null,
    dice: 129_999_698,
  },
  {
    atMs: 21_062,
    kind: "data directory is lost",
    member: "the primary",
    other: "quad",
    lastsMs: 30_000,
    moment: null,
    dice: 197_708_101,
  },
  {
    atMs: 27_949,
    kind: "backend crashes",
    member: "duo",
    other: "una",
    lastsMs: 10_000,
    moment: null,
    dice: 1_057_958_187,
  },
];

/** By who began the timelines alone. */
const isAlien: Steps["isAlien"] = (other, { memory }) => {
  const timeline = reachedTimeline(other);
  const timelineTerm = termOfTimeline(timeline, other.memory.forks);
  return isOnOtherTimeline({ timeline, timelineTerm }, memory.forks);
};

test("a standby that went on beyond where the new primary left its timeline streams from nobody (seed 6916)", async () => {
  const plan: Plan = {
    ...planOf(1, "stragglers"),
    members: ["una", "duo", "tre"],
    spares: ["quad", "quin"],
    rewinders: [],
    ttlMs: 5_000,
    faults: UNREACHED,
    clockRates: { una: 1.0001, duo: 1.0001, tre: 0.9999 },
    healAtMs: 110_000,
  };
  assert.deepEqual(await violations(plan, {}), []);
  const found = new Set(await violations(plan, { isAlien }));
  assert.deepEqual([...found], ["nobody streams what is not its history"]);
});

/** A standby that all others are ahead of leads, and is lost with its disk when they follow it. */
const CAST_AWAY: readonly Fault[] = [
  {
    atMs: 18_126,
    kind: "member is cut off from the others",
    member: "quin",
    other: "quad",
    lastsMs: 17_519,
    moment: null,
    dice: 841_086_515,
  },
  {
    atMs: 20_727,
    kind: "data directory is lost",
    member: "the primary",
    other: "quin",
    lastsMs: 36_034,
    moment: null,
    dice: 246_214_798,
  },
  {
    atMs: 41_389,
    kind: "member is lost with its disk",
    member: "the primary",
    other: "tre",
    lastsMs: 19_141,
    moment: null,
    dice: 941_378_651,
  },
];

/** There is always one. */
const takeAnyTurn: Steps["takeRewindTurn"] = ({ member }, leader) => openTurn(member, leader);

test("members that have diverged are not rewound all at once (seed 80834)", async () => {
  const members = ["una", "duo", "tre", "quad", "quin"];
  const plan: Plan = {
    ...planOf(1, "stragglers"),
    members,
    spares: [],
    rewinders: members,
    ttlMs: 10_000,
    weather: { lost: 0.04, doubled: 0.04, slow: 0.08, slowMs: 1_500 },
    faults: CAST_AWAY,
    clockRates: { una: 1.085, duo: 1.049, tre: 0.995, quad: 1.007, quin: 1.07 },
    healAtMs: 110_000,
  };
  assert.deepEqual(await violations(plan, {}), []);
  const found = new Set(await violations(plan, { takeRewindTurn: takeAnyTurn }));
  assert.ok(found.has("rewinds take turns"), [...found].join());
});

async function violations(plan: Plan, steps: Partial<Steps>): Promise<readonly string[]> {
  const found: string[] = [];
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const { violation } = await run({ seed, plan, defect: { ...NO_DEFECT, steps } });
    if (violation !== null) found.push(violation.invariant);
  }
  return found;
}
