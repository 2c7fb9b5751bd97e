import assert from "node:assert/strict";
import { test } from "node:test";
import { enterMember } from "./enter-member.ts";
import { isRunOver, signsOf } from "./leader-signs.ts";
import { openElection } from "./record-changes.ts";
import { newRecord, type ClusterRecord } from "./record.ts";

const ADDRESS = { host: "10.0.0.1", port: 5432, apiPort: 8008 };

function led(): ClusterRecord {
  const members = { "izdb-1": { ...ADDRESS, tags: {}, session: "first" } };
  const record = newRecord({ cluster: "izdb", founder: "izdb-1", ttlMs: 10_000, members });
  const leader = { member: "izdb-1", renewals: 3, lsn: null, timeline: null };
  return { ...record, systemId: "7", term: 1, heir: null, leader };
}

function freed(record: ClusterRecord, session: string | null): ClusterRecord {
  const run = session === null ? {} : { session };
  const opened = openElection(record, {
    leader: "izdb-1",
    heir: null,
    term: 1,
    ending: { by: "izdb-2", rule: "leader-is-gone", downMs: 1_200, ...run },
    proof: signsOf(record),
  });
  assert(opened !== null);
  return opened;
}

test("whose lease was freed because its run had ended is not asked, until there is another run", () => {
  const record = freed(led(), "first");
  assert.equal(isRunOver(record, "izdb-1"), true);
  assert.equal(isRunOver(record, "izdb-2"), false);
  const entering = { name: "izdb-1", address: ADDRESS, session: "second" };
  const back = enterMember(record, { ...entering, over: { session: "first", renewals: 3 } });
  assert(back !== null);
  assert.equal(isRunOver(back, "izdb-1"), false);
});

test("whose lease was freed for its silence may live, and is asked", () => {
  assert.equal(isRunOver(freed(led(), null), "izdb-1"), false);
});
