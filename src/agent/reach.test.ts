import assert from "node:assert/strict";
import { test } from "node:test";
import { MemberMemory } from "./memory.ts";
import { reachOf } from "./reach.ts";

const memory = new MemberMemory({
  remembered: {
    term: 2,
    followed: { leader: "demo-2", timeline: 3, before: 2, switchPoint: "0/5000" },
    forks: [],
  },
  save: async () => {},
});

test("a standby that was pointed at a new primary and received nothing is on the timeline before", () => {
  const position = { flushLsn: "0/4000", replayLsn: "0/4000", timeline: null };
  assert.equal(reachOf(position, memory).timeline, 2);
});

test("beyond the switch point it is on the new primary's timeline", () => {
  const position = { flushLsn: "0/6000", replayLsn: "0/5800", timeline: null };
  assert.deepEqual(reachOf(position, memory), { lsn: 0x6000n, timeline: 3 });
});

test("what the walreceiver says goes before what is remembered", () => {
  const position = { flushLsn: "0/6000", replayLsn: "0/5800", timeline: 4 };
  assert.equal(reachOf(position, memory).timeline, 4);
});
