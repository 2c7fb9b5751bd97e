import assert from "node:assert/strict";
import { test } from "node:test";
import type { MemberAnswer } from "../../core/cluster-status.ts";
import { newRecord } from "../../core/record.ts";
import { lostOf, type Held } from "./lost.ts";

const MEMBERS = Object.fromEntries(
  ["izdb-1", "izdb-2"].map((name) => [name, { host: name, port: 1, apiPort: 2, tags: {} }]),
);
const RECORD = {
  ...newRecord({ cluster: "izdb", founder: "izdb-1", ttlMs: 1, members: MEMBERS }),
  systemId: "73",
};

/** Of a member with that system's data; null: without. */
function says(systemId: string | null): MemberAnswer {
  return { systemId, progress: null } as MemberAnswer;
}

function held(change: Partial<Held> = {}): Held {
  const cluster = { name: "izdb", namespace: "shop" };
  const answers = new Map([
    ["izdb-1", says(null)],
    ["izdb-2", says(null)],
  ]);
  return { cluster, record: RECORD, answers, before: null, ...change };
}

test("a record of data that no member has is told, with how to begin anew", () => {
  const [found] = lostOf(held());
  assert.equal(found?.reason, "DataLost");
  assert.match(found.message, /system 73, and no member has its data: bring the volumes back; or/);
  assert.match(found.message, /delete -n shop lease,pvc,secret -l understudy\.dev\/cluster=izdb/);
});

test("where one has it, or copies, or does not answer, or nothing was made yet, nothing is told", () => {
  const others: MemberAnswer[] = [says("73"), { unreachable: "it is silent" }];
  const copying = { step: "cloning", bytesDone: 1, bytesTotal: null, remainingSeconds: null };
  others.push(Object.assign({}, says(null), { progress: copying }));
  for (const other of others)
    assert.deepEqual(lostOf(held({ answers: new Map(held().answers).set("izdb-2", other) })), []);
  assert.deepEqual(lostOf(held({ answers: new Map() })), []);
  assert.deepEqual(lostOf(held({ record: { ...RECORD, systemId: null } })), []);
});

test("a record that is gone is told while it is, and of a new cluster nothing", () => {
  assert.deepEqual(lostOf(held({ record: null })), []);
  const [found] = lostOf(held({ record: null, before: { currentPrimary: "izdb-2" } }));
  assert.equal(found?.reason, "RecordLost");
  assert.match(found.message, /annotate -n shop lease izdb understudy\.dev\/adopt=MEMBER$/);
  const blocked = {
    type: "Blocked",
    status: "True",
    reason: "RecordLost",
    message: "",
    lastTransitionTime: "",
  } as const;
  assert.equal(lostOf(held({ record: null, before: { conditions: [blocked] } })).length, 1);
});
