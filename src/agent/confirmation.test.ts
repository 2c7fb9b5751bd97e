import assert from "node:assert/strict";
import { test } from "node:test";
import { newRecord, type ClusterRecord } from "../core/record.ts";
import { MemoryStore } from "../store/memory-store.ts";
import { promisedLeader, requireConfirmed, type Claim } from "./confirmation.ts";
import { LeaseKeeper } from "./lease-keeper.ts";

const ADDRESS = { host: "127.0.0.1", port: 5432, apiPort: 5433, tags: {} };
const record: ClusterRecord = {
  ...newRecord({
    cluster: "t",
    founder: "t-1",
    ttlMs: 5_000,
    members: { "t-1": ADDRESS, "t-2": ADDRESS },
  }),
  term: 4,
  leader: { member: "t-1", renewals: 1, lsn: null, timeline: null },
};
const claim: Claim = { leader: "t-1", term: 4, ttlMs: 5_000, members: ["t-1", "t-2"] };
const calm = { member: "t-2", record, effect: null, isUncertain: false };

function doubts(about: Claim, by: Parameters<typeof requireConfirmed>[1], why: RegExp): void {
  assert.throws(() => requireConfirmed(about, by), why);
}

test("a member confirms the leader that it knows, also while it streams from it or copies it", () => {
  for (const effect of [null, "follow", "clone", "rejoin", "restart"])
    requireConfirmed(claim, { ...calm, effect });
});

test("it does not confirm another leader, another term, or a lease that is free", () => {
  doubts({ ...claim, leader: "t-3" }, calm, /it knows t-1 as the leader, and term 4$/);
  doubts({ ...claim, term: 3 }, calm, /it knows t-1 as the leader, and term 4$/);
  doubts({ ...claim, term: 5 }, calm, /it knows t-1 as the leader, and term 4$/);
  doubts(claim, { ...calm, record: { ...record, leader: null } }, /it knows nobody/);
  doubts(claim, { ...calm, record: null }, /has not read the record yet$/);
});

test("it does not confirm a leader that knows less of the members: those would promise nothing", () => {
  const members = { ...record.members, "t-3": ADDRESS };
  doubts(claim, { ...calm, record: { ...record, members } }, /it knows of t-3 as well$/);
});

test("it does not confirm while its own step may change who leads, or may have done so", () => {
  for (const effect of ["open-election", "stand", "take-lease", "promote"])
    doubts(claim, { ...calm, effect }, /it is busy/);
  doubts(claim, { ...calm, isUncertain: true }, /what became of its own change/);
});

test("who has confirmed a leader does not succeed it before that has run out", () => {
  let nowMs = 1_000;
  const keeper = new LeaseKeeper({
    store: new MemoryStore(),
    clock: { nowMs: () => nowMs, wallClock: () => "", setTimer: () => ({ [Symbol.dispose]() {} }) },
    member: "t-2",
    oldestTerm: () => 0,
    position: () => ({ lsn: null, timeline: null }),
    onChange: () => {},
    onStoreTrouble: () => {},
  });
  const alive = { keeper, witness: { hasNoServer: () => false } };
  const dead = { keeper, witness: { hasNoServer: () => true } };
  const byOther = { member: "t-1", by: "t-3", rule: "leader-is-gone", downMs: null };
  const freed = { term: 4, ended: byOther };
  assert.equal(promisedLeader(alive, freed), null, "nothing was promised");
  keeper.promise(claim);
  assert.equal(promisedLeader(alive, freed), "t-1");
  assert.equal(promisedLeader(dead, freed), null, "no process of it lives");
  const byItself = { ...byOther, by: "t-1" };
  assert.equal(promisedLeader(alive, { ...freed, ended: byItself }), null, "by its own hand");
  assert.equal(promisedLeader(alive, { ...freed, term: 5 }), null, "it is another term's");
  nowMs += claim.ttlMs - 1;
  assert.equal(promisedLeader(alive, freed), "t-1");
  nowMs += 1;
  assert.equal(promisedLeader(alive, freed), null, "it has run out");
});
