import assert from "node:assert/strict";
import { test } from "node:test";
import { enterMember, leaveMember } from "./enter-member.ts";
import { signsOf } from "./leader-signs.ts";
import { openElection } from "./record-changes.ts";
import { newRecord, type ClusterRecord } from "./record.ts";

const ADDRESS = { host: "10.0.0.7", port: 5432, apiPort: 8008 };

/** izdb-1 leads, in its first run; izdb-2 follows. */
function record(): ClusterRecord {
  const founded = newRecord({ cluster: "izdb", founder: "izdb-1", ttlMs: 10_000, members: {} });
  const members = {
    "izdb-1": { ...ADDRESS, host: "10.0.0.1", session: "a", tags: { priority: 2 } },
    "izdb-2": { ...ADDRESS, host: "10.0.0.2", session: "b", tags: {} },
  };
  const leader = { member: "izdb-1", renewals: 5, lsn: "0/3000000", timeline: 1 };
  return { ...founded, members, leader, heir: null, term: 1, systemId: "7" };
}

function entering(over: { session: string | null; renewals: number | null }, name = "izdb-1") {
  return { name, address: ADDRESS, session: "new", over };
}

test("a member that was never there comes with its address, and everybody looks at the specification", () => {
  const entered = enterMember(record(), entering({ session: null, renewals: null }, "izdb-3"));
  assert.deepEqual(entered?.members["izdb-3"], { ...ADDRESS, session: "new", tags: {} });
  assert.equal(entered?.generation, record().generation + 1);
  assert.deepEqual(entered?.leader, record().leader);
});

test("a new run keeps what persons have set of its member, and the lease with a sign of life", () => {
  const entered = enterMember(record(), entering({ session: "a", renewals: 5 }));
  const expected = { ...ADDRESS, session: "new", tags: { priority: 2 } };
  assert.deepEqual(entered?.members["izdb-1"], expected);
  assert.equal(entered?.leader?.renewals, 6);
  assert.equal(entered?.leader?.lsn, "0/3000000");
});

test("a run that was not the one that was proven to be over is not put aside", () => {
  assert.equal(enterMember(record(), entering({ session: "z", renewals: 5 })), null);
  assert.equal(enterMember(record(), entering({ session: null, renewals: null })), null);
  assert.equal(enterMember(record(), entering({ session: "a", renewals: 4 })), null);
});

test("a lease is not freed for the silence of a leader that has renewed or come back meanwhile", () => {
  const before = record();
  const gone = { leader: "izdb-1", heir: null, term: 1, proof: signsOf(before) };
  assert.equal(openElection(before, gone)?.electing, true);
  const again = enterMember(before, entering({ session: "a", renewals: 5 }));
  assert(again);
  assert.equal(openElection(again, gone), null);
  const renewed = { ...before, leader: { member: "izdb-1", renewals: 6, lsn: null, timeline: 1 } };
  assert.equal(openElection(renewed, gone), null);
});

test("whoever leaves takes its run's name along, but not another's, and not the lease", () => {
  const left = leaveMember(record(), { name: "izdb-2", session: "b" });
  const { session: _session, ...rest } = record().members["izdb-2"] ?? {};
  assert.deepEqual(left?.members["izdb-2"], rest);
  assert.equal(leaveMember(record(), { name: "izdb-2", session: "a" }), null);
  assert.equal(leaveMember(record(), { name: "izdb-1", session: "a" }), null);
});
