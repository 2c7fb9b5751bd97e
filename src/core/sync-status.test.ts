import assert from "node:assert/strict";
import { test } from "node:test";
import type { MemberStatus } from "./member-status.ts";
import { newRecord, type ClusterRecord } from "./record.ts";
import { promisesLess, syncStatusOf, syncWarnings } from "./sync-status.ts";
import { API_VERSION } from "./spec.ts";

const PROMISED = { required: 1, members: ["demo-2", "demo-3"], renewed: ["demo-3"] };

function recordOf(change: Partial<ClusterRecord["sync"]>, names = 3): ClusterRecord {
  const members = Object.fromEntries(
    Array.from({ length: names }, (_, at) => [
      `demo-${at + 1}`,
      { host: "127.0.0.1", port: 6431 + at, apiPort: 6531 + at, tags: {} },
    ]),
  );
  const record = newRecord({ cluster: "demo", founder: "demo-1", ttlMs: 5000, members });
  return { ...record, sync: { ...record.sync, ...change } };
}

function primary(streaming: readonly string[]): MemberStatus {
  const lsn = "0/5000000";
  return {
    apiVersion: API_VERSION,
    kind: "MemberStatus",
    cluster: "demo",
    name: "demo-1",
    role: "primary",
    state: "running",
    reason: null,
    agentPid: 1,
    pid: 2,
    host: "127.0.0.1",
    port: 6431,
    systemId: "1",
    timeline: 2,
    timelineTerm: 1,
    postgresVersion: "15.18",
    term: 1,
    generation: 1,
    writeLsn: lsn,
    flushLsn: lsn,
    replayLsn: lsn,
    needsWalFrom: lsn,
    replayLagSeconds: null,
    upstream: null,
    slot: null,
    slots: [],
    replication: streaming.map((applicationName) => ({
      applicationName,
      state: "streaming",
      sentLsn: lsn,
      writeLsn: lsn,
      flushLsn: lsn,
      replayLsn: lsn,
      sync: "quorum",
    })),
    progress: null,
    pendingRestart: [],
    warnings: [],
    storage: null,
  };
}

function warned(change: Partial<ClusterRecord["sync"]>, streaming: readonly string[]): string {
  return syncWarnings(recordOf(change), primary(streaming)).join("\n");
}

test("a cluster with standbys is warned while nothing waits for them, one without is not", () => {
  assert.match(warned({}, []), /^synchronous replication is off: .*understudy config set sync=on$/);
  assert.deepEqual(syncWarnings(recordOf({}, 1), null), []);
});

test("nothing is to be warned of where so many stream as are promised and wanted", () => {
  assert.equal(warned({ mode: "on", guarantee: PROMISED }, ["demo-2"]), "");
});

test("on, but not in force yet, is told", () => {
  assert.match(warned({ mode: "on" }, []), /in force when a standby has caught up$/);
  assert.match(warned({ mode: "on", required: 2 }, []), /when 2 standbys have caught up$/);
});

test("writes that wait are told, and for whom", () => {
  assert.equal(
    warned({ mode: "on", guarantee: PROMISED }, []),
    "writes wait: each commit is to be on 1 of demo-2, demo-3, and demo-2, demo-3 do not stream. Bring it back: understudy up",
  );
});

test("less than is wanted is told", () => {
  const change = { mode: "on", required: 2, guarantee: PROMISED } as const;
  assert.match(warned(change, ["demo-2"]), /^commits wait for 1 of the 2 standbys/);
});

test("the status names the promise, and not who is a newer copy", () => {
  assert.deepEqual(syncStatusOf(recordOf({ mode: "on", required: 0, guarantee: PROMISED })), {
    mode: "on",
    required: 1,
    whenUnavailable: "block",
    guarantee: { required: 1, members: ["demo-2", "demo-3"] },
  });
});

test("less is promised than is wanted while nothing is, or while it was lowered", () => {
  assert.equal(promisesLess(recordOf({ mode: "on" })), true);
  assert.equal(promisesLess(recordOf({ mode: "on", required: 2, guarantee: PROMISED })), true);
  assert.equal(promisesLess(recordOf({ mode: "on", guarantee: PROMISED })), false);
  assert.equal(promisesLess(recordOf({})), false);
});
