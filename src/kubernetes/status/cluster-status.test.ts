import assert from "node:assert/strict";
import { test } from "node:test";
import * as v from "valibot";
import { clusterWith } from "../../../test/support/postgres-clusters.ts";
import { sampleMember, sampleStatus } from "../../../test/support/sample-status.ts";
import type { ClusterStatus } from "../../core/cluster-status.ts";
import { statusSchema, type PostgresClusterStatus } from "../resource/status-schema.ts";
import { statusOf } from "./cluster-status.ts";
import type { Observation } from "./findings.ts";

const AT = "2026-11-22T10:00:00Z";
const LATER = "2026-11-22T10:05:00Z";

function observation(change: Partial<Observation> = {}): Observation {
  return {
    cluster: clusterWith({}, { generation: 4 }),
    summary: sampleStatus(),
    objections: [],
    fate: { kind: "apart" },
    troubles: [],
    rollout: { kind: "done" },
    astray: null,
    nodes: new Map([["izdb-1", "n1"]]),
    ...change,
  };
}

function statusNow(
  change: Partial<Observation> = {},
  of: { before?: PostgresClusterStatus; at?: string } = {},
): PostgresClusterStatus {
  return statusOf(observation(change), { before: of.before ?? null, at: of.at ?? AT });
}

/** "True AllStreaming". */
function condition(status: PostgresClusterStatus, type: string): string {
  const found = status.conditions?.find((each) => each.type === type);
  return found === undefined ? "none" : `${found.status} ${found.reason}`;
}

function about(change: Partial<ClusterStatus>): PostgresClusterStatus {
  return statusNow({ summary: sampleStatus(change) });
}

test("a sound cluster reads as one, in every column", () => {
  const status = statusNow();
  assert.equal(status.ready, "3/3");
  assert.equal(status.currentPrimary, "izdb-1");
  assert.equal(status.phase, "healthy");
  assert.equal(status.lag, "0B");
  assert.equal(status.version, "18.4");
  assert.equal(status.standbys, 2);
  assert.equal(status.observedGeneration, 4);
  assert.deepEqual(
    status.conditions?.map(({ type, status: is }) => `${type}=${is}`),
    [
      "Ready=True",
      "PrimaryAvailable=True",
      "Accepted=True",
      "Blocked=False",
      "Progressing=False",
      "Degraded=False",
      "SyncSatisfied=True",
      "SharedFate=False",
      "Paused=False",
    ],
  );
});

test("whatever is told is what the definition has room for", () => {
  for (const change of [
    {},
    { summary: null },
    { objections: ["no"] },
    { fate: { kind: "refused", reasons: ["both on n1"] } },
    { rollout: { kind: "wait", why: "izdb-3 is not ready" } },
  ] as const)
    assert.ok(v.is(statusSchema, statusNow(change)));
});

test("what nobody knows is not called good", () => {
  const status = statusNow({ summary: null });
  assert.equal(condition(status, "Ready"), "False NoAnswer");
  assert.equal(condition(status, "PrimaryAvailable"), "Unknown NoAnswer");
  assert.equal(condition(status, "Degraded"), "Unknown NoAnswer");
  assert.equal(status.phase, "no answer");
  assert.equal(status.ready, "0/3");
});

test("a cluster without a primary, and one without a standby, are not ready", () => {
  const headless = about({ primary: null, state: "no-primary" });
  assert.equal(condition(headless, "Ready"), "False NoPrimary");
  assert.equal(headless.phase, "no primary");
  const [primary, standby] = sampleStatus().members;
  assert(primary !== undefined && standby !== undefined);
  const copying = sampleMember("izdb-3", { state: "cloning", reason: "40 %", role: "none" });
  const status = about({ members: [primary, standby, copying], state: "degraded" });
  assert.equal(condition(status, "Ready"), "False MembersMissing");
  assert.equal(status.ready, "2/3");
  assert.equal(status.members?.[2]?.state, "cloning: 40 %");
  assert.equal(condition(about({ members: [primary, standby] }), "Progressing"), "True Scaling");
});

test("a cluster whose service for writes leads elsewhere is not ready", () => {
  const astray = "izdb-rw leads nowhere";
  assert.equal(condition(statusNow({ astray }), "Ready"), "False ServiceAstray");
  assert.equal(condition(statusNow({ astray }), "PrimaryAvailable"), "True TakesWrites");
  assert.notEqual(statusNow({ astray }).phase, "healthy");
});

test("what cannot be done is said with its reason, and comes first", () => {
  const refused = statusNow({ objections: ["spec.postgres: 17 needs an upgrade"] });
  assert.equal(condition(refused, "Accepted"), "False NotPossible");
  assert.equal(refused.phase, "specification refused");
  const fate = { kind: "refused", reasons: ["izdb-1 and izdb-2 run on n1"] } as const;
  const shared = statusNow({ fate });
  assert.equal(condition(shared, "Accepted"), "False SharedFate");
  assert.equal(condition(shared, "SharedFate"), "True Refused");
  const { message = "" } = shared.conditions?.find(({ type }) => type === "Accepted") ?? {};
  assert.match(message, /run on n1; have them apart, or say acceptSharedFate: true$/);
  const accepted = { kind: "accepted", warnings: ["izdb-1 and izdb-2 run on n1"] } as const;
  assert.equal(condition(statusNow({ fate: accepted }), "Accepted"), "True Possible");
});

test("what is promised of commits is told as it is", () => {
  const sync = { mode: "on", required: 2, whenUnavailable: "block" } as const;
  const one = { required: 1, members: ["izdb-2", "izdb-3"] };
  const less = about({ sync: { ...sync, guarantee: one } });
  assert.equal(condition(less, "SyncSatisfied"), "False TooFewStandbys");
  assert.equal(less.sync, "1 of 2");
  const nothing = about({ sync: { ...sync, guarantee: null } });
  assert.equal(condition(nothing, "SyncSatisfied"), "False TooFewStandbys");
  assert.equal(nothing.sync, "nothing promised");
  const all = about({ sync: { ...sync, guarantee: { ...one, required: 2 } } });
  assert.equal(condition(all, "SyncSatisfied"), "True Promised");
});

test("nothing is written when nothing changes, however much WAL goes by", () => {
  const before = statusNow();
  const moved = sampleStatus().members.map((member) => {
    const replayLagBytes = member.role === "primary" ? null : 1_000;
    return Object.assign({}, member, { writeLsn: "0/9", replayLagBytes });
  });
  const summary = sampleStatus({ members: moved });
  assert.deepEqual(statusNow({ summary }, { before, at: LATER }), before);
});

test("a condition's time is when it began, and not when its sentence changed", () => {
  const before = statusNow();
  const summary = sampleStatus({ term: 4, warnings: ["one is slow"], state: "degraded" });
  const after = statusNow({ summary }, { before, at: LATER });
  const times = Object.fromEntries(
    (after.conditions ?? []).map(({ type, lastTransitionTime }) => [type, lastTransitionTime]),
  );
  assert.equal(times["PrimaryAvailable"], AT);
  assert.equal(times["Degraded"], LATER);
});

function behind(replayLagBytes: number): string | undefined {
  const primary = { role: "primary", state: "running", replayLagBytes: null } as const;
  const members = [sampleMember("izdb-1", primary), sampleMember("izdb-2", { replayLagBytes })];
  return about({ members }).lag;
}

test("lag is told in steps", () => {
  assert.deepEqual(
    [0, 2 ** 20 - 1, 2 ** 20, 2 ** 20 + 1, 5 * 2 ** 20].map((bytes) => behind(bytes)),
    ["0B", "0B", "1MB", "2MB", "8MB"],
  );
});
