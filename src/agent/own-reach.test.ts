import assert from "node:assert/strict";
import { test } from "node:test";
import type { Member } from "./member.ts";
import { hasStrayed } from "./own-reach.ts";

/** Proven to follow izdb-1, which has left timeline 11 at 0/8039BF0. */
const followed = { leader: "izdb-1", timeline: 12, before: 11, switchPoint: "0/8039BF0" };
// Of a server that tells its timeline nothing else is asked.
const standby = { memory: { followed }, paths: {} } as Pick<Member, "memory" | "paths">;

function at(lsn: string, timeline: number) {
  return { flushLsn: lsn, replayLsn: lsn, timeline };
}

test("a standby has strayed whose walreceiver lives on the timeline before, beyond its end", async () => {
  assert.equal(await hasStrayed(standby, at("0/8039C58", 11)), true);
});

test("a standby has not strayed that still receives the timeline before, or is on the new one", async () => {
  assert.equal(await hasStrayed(standby, at("0/8039BF0", 11)), false);
  assert.equal(await hasStrayed(standby, at("0/8040000", 12)), false);
});
