import assert from "node:assert/strict";
import { test } from "node:test";
import { setPaused } from "./record-changes.ts";
import { newsOf, tellsNews } from "./record-news.ts";
import { newRecord, type ClusterRecord } from "./record.ts";

const NAMES = ["demo-10", "demo-2", "demo-1"];

function recordOf(change: Partial<ClusterRecord> = {}): ClusterRecord {
  const members = Object.fromEntries(
    NAMES.map((name, at) => [
      name,
      { host: "127.0.0.1", port: 6431 + at, apiPort: 6531 + at, tags: {} },
    ]),
  );
  return {
    ...newRecord({ cluster: "demo", founder: "demo-1", ttlMs: 2000, members }),
    leader: { member: "demo-2", renewals: 7, lsn: "0/5000000", timeline: 2 },
    heir: null,
    ...change,
  };
}

function told(before: ClusterRecord, now: ClusterRecord): string[] {
  return newsOf(before, now).map(({ event, message }) => `${event}: ${message}`);
}

function tellers(record: ClusterRecord, leaderAnswers: boolean): string[] {
  return NAMES.filter((self) => tellsNews(record, { self, leaderAnswers }));
}

test("a pause and its end are told, and a renewal is no news", () => {
  const before = recordOf();
  const paused = setPaused(before, true);
  assert.ok(paused !== null);
  assert.deepEqual(told(before, paused), [
    "paused: A person has paused demo: nothing fails over by itself.",
  ]);
  assert.deepEqual(told(paused, before), [
    "resumed: A person has ended the pause of demo: a standby takes over when its primary fails.",
  ]);
  const renewed = { member: "demo-2", renewals: 8, lsn: "0/6000000", timeline: 2 };
  assert.deepEqual(told(before, { ...before, leader: renewed, term: 9 }), []);
});

test("each setting that changed is told, of the cluster and of the member, with both values", () => {
  const before = recordOf();
  const now = recordOf({ policy: { maximumLagBytes: 16 * 1024 * 1024 } });
  const [one] = NAMES;
  assert.ok(one !== undefined && now.members[one] !== undefined);
  const members = { ...now.members, [one]: { ...now.members[one], tags: { nofailover: true } } };
  assert.deepEqual(told(before, { ...now, members }), [
    "setting-changed: A person has set maximumLag of demo to 16MB; it was none.",
    "setting-changed: A person has set nofailover of demo-10 to true; it was false.",
  ]);
});

test("a member that came or went has no settings that changed", () => {
  const before = recordOf();
  const { "demo-10": _, ...members } = before.members;
  assert.deepEqual(told(before, { ...before, members }), []);
  assert.deepEqual(told({ ...before, members }, before), []);
});

test("one member tells: the leader, else the first of the others", () => {
  assert.deepEqual(tellers(recordOf(), true), ["demo-2"]);
  assert.deepEqual(tellers(recordOf({ leader: null, history: [] }), true), ["demo-1"]);
  // Its agent tells, too, if it only seemed not to answer: better twice than not at all.
  assert.deepEqual(tellers(recordOf(), false), ["demo-2", "demo-1"]);
});
