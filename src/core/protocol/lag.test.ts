import assert from "node:assert/strict";
import { test } from "node:test";
import type { Lsn } from "../lsn.ts";
import type { Reach } from "./election.ts";
import { lagOf, type KnownWal } from "./lag.ts";

const FORKS = [
  { timeline: 2, term: 1 },
  { timeline: 3, term: 4 },
];

function reach(lsn: bigint, change: Partial<Reach> = {}): Reach {
  return { name: "demo-2", lsn: lsn as Lsn, timeline: 3, timelineTerm: 4, ...change };
}

function known(change: Partial<KnownWal> = {}): KnownWal {
  return { last: { lsn: "0/1000", timeline: 3 }, forks: FORKS, others: [], ...change };
}

test("a candidate is behind by what the last leader had said of itself, and never by less than nothing", () => {
  assert.equal(lagOf(reach(0xf00n), known()), 0x100);
  assert.equal(lagOf(reach(0x2000n), known()), 0);
});

test("what another member has counts too, also one that may not lead", () => {
  const others = [reach(0x1800n, { name: "demo-3" }), reach(0x100n, { name: "demo-4" })];
  assert.equal(lagOf(reach(0xf00n), known({ others })), 0x900);
});

test("on another line of history, or where nothing is known, it cannot be told", () => {
  assert.equal(lagOf(reach(0xf00n), known({ last: null })), null);
  assert.equal(lagOf(reach(0xf00n, { timeline: 2, timelineTerm: 1 }), known()), null);
  assert.equal(lagOf(reach(0xf00n, { timeline: null }), known()), null);
  // Of the same number, begun by another leader.
  assert.equal(lagOf(reach(0xf00n, { timelineTerm: 3 }), known()), null);
  const newer = [reach(0x10n, { name: "demo-3", timeline: 4, timelineTerm: 5 })];
  assert.equal(lagOf(reach(0xf00n), known({ others: newer })), null);
  const older = [reach(0x9000n, { name: "demo-3", timeline: 2, timelineTerm: 1 })];
  assert.equal(lagOf(reach(0xf00n), known({ others: older })), 0x100);
});
