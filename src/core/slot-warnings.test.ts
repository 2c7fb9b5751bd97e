import assert from "node:assert/strict";
import { test } from "node:test";
import type { SlotStatus } from "./member-status.ts";
import { newRecord, type RecordMember } from "./record.ts";
import { carryOverWarnings, slotWarnings } from "./slot-warnings.ts";

const TAGS: Readonly<Record<string, RecordMember["tags"]>> = {
  "demo-4": { from: "demo-2" },
  "demo-5": { nofailover: true },
};
const GIB = 1024 ** 3;

function slot(change: Partial<SlotStatus>): SlotStatus {
  return {
    name: "orders",
    kind: "physical",
    active: true,
    heldBytes: 0,
    lost: false,
    failover: false,
    synced: false,
    ...change,
  };
}

function warnings(change: Partial<SlotStatus>, of: { isPrimary?: boolean; major?: number } = {}) {
  const { isPrimary = true, major = 17 } = of;
  return slotWarnings({ slots: [slot(change)], isPrimary, canCarryOver: major >= 17 });
}

test("a slot that is used, or holds little, is no news", () => {
  assert.deepEqual(warnings({ heldBytes: 5 * GIB }), []);
  assert.deepEqual(warnings({ active: false, heldBytes: 1024 }), []);
  assert.deepEqual(warnings({ active: false, heldBytes: null }), []);
});

test("a slot that nobody uses is told with what it holds, and whose it is", () => {
  const idle = { active: false, heldBytes: 1.5 * GIB };
  assert.deepEqual(warnings(idle), [
    "the slot orders is used by nobody and holds 1536 MiB of WAL: Understudy does not touch it",
  ]);
  assert.match(warnings({ ...idle, name: "understudy_demo_3" }).join(), /until its member is back/);
});

test("a logical slot that a failover would lose is told on the primary, with the remedy", () => {
  const logical = { kind: "logical" } as const;
  assert.deepEqual(warnings(logical), [
    "the logical slot orders would not survive a failover: make it with failover = true",
  ]);
  assert.match(warnings(logical, { major: 16 }).join(), /from 17 on/);
  assert.deepEqual(warnings({ ...logical, failover: true }), []);
  assert.deepEqual(warnings(logical, { isPrimary: false }), []);
});

test("a lost slot of a user is told, and ours is looked after", () => {
  assert.match(warnings({ lost: true, heldBytes: null }).join(), /orders is lost: .*drop it/);
  assert.deepEqual(warnings({ lost: true, name: "understudy_demo_3", heldBytes: null }), []);
});

test("a logical slot that a standby which may take over has not got is told, with why it never will", () => {
  const members = Object.fromEntries(
    ["demo-1", "demo-2", "demo-3", "demo-4", "demo-5"].map((name, at) => [
      name,
      { host: "127.0.0.1", port: 6431 + at, apiPort: 6531 + at, tags: TAGS[name] ?? {} },
    ]),
  );
  const fresh = newRecord({ cluster: "demo", founder: "demo-1", ttlMs: 2000, members });
  const leader = { member: "demo-1", renewals: 1, lsn: null, timeline: 2 };
  const logical = slot({ kind: "logical", failover: true });
  const standbys = [
    { name: "demo-2", slots: [{ ...logical, synced: true }] },
    // Of its time as the primary: it does not stand for the present one's.
    { name: "demo-3", slots: [logical] },
    { name: "demo-4", slots: [] },
    { name: "demo-5", slots: [] },
  ];
  const primary = { name: "demo-1", slots: [logical] };
  assert.deepEqual(carryOverWarnings({ ...fresh, leader }, { primary, standbys }), [
    "the logical slot orders would be lost by a failover to demo-3, demo-4 (it streams from another standby)",
  ]);
  assert.deepEqual(carryOverWarnings({ ...fresh, leader }, { primary: null, standbys }), []);
});
