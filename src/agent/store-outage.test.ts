import assert from "node:assert/strict";
import { test } from "node:test";
import { HandClock } from "../../test/support/hand-clock.ts";
import { newRecord } from "../core/record.ts";
import { StoreOutage } from "./store-outage.ts";

function outage(isLeader: boolean) {
  const clock = new HandClock();
  const [logged, told]: [string[], string[]] = [[], []];
  const noted = new StoreOutage({
    member: "t-1",
    clock,
    log: { write: ({ event }) => void logged.push(event) },
    events: { write: ({ event, message }) => void told.push(`${event}: ${message}`) },
    isLeader: () => isLeader,
  });
  return { clock, noted, logged, told };
}

test("an outage is told of once by the one that leads, and how long it was", async () => {
  const { clock, noted, logged, told } = outage(true);
  noted.note("it is locked");
  await clock.pass(2_000);
  noted.note("it is full");
  assert.equal(noted.why, "it is full");
  await clock.pass(500);
  noted.note(null);
  assert.equal(noted.why, null);
  assert.deepEqual(told, [
    "store-away: The store does not answer, and t-1 leads on: it is locked.",
    "store-back: The store answers again, after 2.5 s.",
  ]);
  assert.deepEqual(logged, ["store", "store", "store"]);
});

test("who does not lead only logs it", () => {
  const { noted, logged, told } = outage(false);
  noted.note("it is locked");
  noted.note(null);
  assert.deepEqual([logged, told], [["store", "store"], []]);
});

test("who confirms the leader is logged when that changes", () => {
  const { noted, logged } = outage(true);
  const record = newRecord({ cluster: "t", founder: "t-1", ttlMs: 5_000, members: {} });
  for (const doubts of [[], [], ["t-2 is busy"], ["t-2 is busy"], []])
    noted.noteDoubts(record, doubts);
  assert.deepEqual(logged, ["confirmed-by-all", "not-confirmed", "confirmed-by-all"]);
});
