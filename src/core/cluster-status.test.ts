import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import {
  exitStatusOf,
  readersIn,
  summarize,
  type ClusterStatus,
  type MemberAnswer,
} from "./cluster-status.ts";
import { formatLsn, lsnFromBigInt } from "./lsn.ts";
import { MEMBER_STATES, type MemberStatus, type ReplicationPeer } from "./member-status.ts";
import { newRecord, type ClusterRecord } from "./record.ts";
import { API_VERSION } from "./spec.ts";

const EXTRA = ["one disk"];
const NAMES = ["demo-1", "demo-2", "demo-10"];

function recordOf(change: Partial<ClusterRecord> = {}): ClusterRecord {
  const members = Object.fromEntries(
    NAMES.map((name, at) => [
      name,
      { host: "127.0.0.1", port: 6431 + at, apiPort: 6531 + at, tags: {} },
    ]),
  );
  return {
    ...newRecord({ cluster: "demo", founder: "demo-1", ttlMs: 2000, members }),
    systemId: "7300000000000000001",
    term: 3,
    leader: { member: "demo-1", renewals: 7, lsn: "0/5000000", timeline: 2 },
    heir: null,
    sync: {
      mode: "on",
      required: 1,
      whenUnavailable: "block",
      copies: 0,
      guarantee: { required: 1, members: ["demo-10", "demo-2"], renewed: [] },
    },
    ...change,
  };
}

function peer(applicationName: string, change: Partial<ReplicationPeer> = {}): ReplicationPeer {
  const lsn = "0/5000000";
  return {
    applicationName,
    state: "streaming",
    sentLsn: lsn,
    writeLsn: lsn,
    flushLsn: lsn,
    replayLsn: lsn,
    sync: "async",
    ...change,
  };
}

function member(name: string, change: Partial<MemberStatus> = {}): MemberStatus {
  return {
    apiVersion: API_VERSION,
    kind: "MemberStatus",
    cluster: "demo",
    name,
    role: "standby",
    state: "streaming",
    reason: null,
    agentPid: 100,
    pid: 200,
    host: "127.0.0.1",
    port: 6431,
    systemId: "7300000000000000001",
    timeline: 2,
    timelineTerm: 1,
    postgresVersion: "15.18",
    term: 3,
    generation: 1,
    writeLsn: "0/5000000",
    flushLsn: "0/5000000",
    replayLsn: "0/5000000",
    needsWalFrom: "0/5000000",
    replayLagSeconds: 0,
    upstream: "demo-1",
    slot: `understudy_${name.replaceAll("-", "_")}`,
    replication: [],
    slots: [],
    progress: null,
    pendingRestart: [],
    warnings: [],
    storage: null,
    ...change,
  };
}

const PRIMARY = member("demo-1", {
  role: "primary",
  state: "running",
  upstream: null,
  slot: null,
  replayLagSeconds: null,
  replication: [peer("demo-2"), peer("demo-10", { sync: "quorum" })],
});

function statusOf(
  change: Record<string, MemberAnswer> = {},
  record: ClusterRecord = recordOf(),
): ClusterStatus {
  const answers: Record<string, MemberAnswer> = {
    "demo-1": PRIMARY,
    "demo-2": member("demo-2"),
    "demo-10": member("demo-10"),
    ...change,
  };
  const statuses = new Map(Object.entries(answers));
  return summarize({ record, statuses, extraWarnings: EXTRA });
}

function only(status: ClusterStatus, name: string) {
  const found = status.members.find((each) => each.name === name);
  assert.ok(found);
  return found;
}

describe("the status of a cluster", () => {
  it("is healthy when one primary holds the lease and every other member streams from it", () => {
    const status = statusOf();
    assert.equal(status.state, "healthy");
    assert.equal(status.primary, "demo-1");
    assert.equal(status.timeline, 2);
    assert.equal(status.postgresVersion, "15.18");
    assert.deepEqual(status.warnings, EXTRA);
    assert.deepEqual(
      status.members.map((each) => each.name),
      ["demo-1", "demo-2", "demo-10"],
    );
    assert.equal(only(status, "demo-10").sync, "quorum");
    assert.equal(only(status, "demo-1").sync, null);
  });

  it("names the likely hosts first, and no password, in its endpoints", () => {
    assert.deepEqual(statusOf().endpoints, {
      write:
        "postgresql://app@127.0.0.1:6431,127.0.0.1:6432,127.0.0.1:6433/app?target_session_attrs=read-write",
      read: "postgresql://app@127.0.0.1:6432,127.0.0.1:6433,127.0.0.1:6431/app?target_session_attrs=prefer-standby",
    });
  });

  it("leaves members that take no reads out of the read endpoint, unless nobody else is left", () => {
    const quiet = { host: "127.0.0.1", port: 6432, apiPort: 6532, tags: { noreads: true } };
    const record = recordOf();
    const members = { ...record.members, "demo-2": quiet };
    const { endpoints, members: seen } = summarize({
      record: { ...record, members },
      statuses: new Map([["demo-1", PRIMARY]]),
      extraWarnings: [],
    });
    assert.match(endpoints.read, /@127\.0\.0\.1:6433,127\.0\.0\.1:6431\//);
    assert.match(endpoints.write, /:6432/);
    assert.deepEqual(seen[1]?.settings, { noreads: "true" });
    const alone = seen.filter(({ name }) => name === "demo-2");
    assert.deepEqual(readersIn(alone), alone);
  });

  it("counts lag in bytes from the primary's write position, never below zero", () => {
    const behind = member("demo-2", { flushLsn: "0/4FFFFF0", replayLsn: "0/4000000" });
    const ahead = member("demo-10", { flushLsn: "0/5000100", replayLsn: "0/5000100" });
    const status = statusOf({ "demo-2": behind, "demo-10": ahead });
    assert.equal(only(status, "demo-2").receiveLagBytes, 16);
    assert.equal(only(status, "demo-2").replayLagBytes, 16 * 1024 * 1024);
    assert.equal(only(status, "demo-10").receiveLagBytes, 0);
    assert.equal(status.state, "healthy");
  });

  it("asks the one that a cascaded standby streams from, and not the primary, whether it does", () => {
    const alone = { ...PRIMARY, replication: [peer("demo-2")] };
    const cascaded = member("demo-10", { upstream: "demo-2" });
    const sender = member("demo-2", { replication: [peer("demo-10")] });
    const status = statusOf({ "demo-1": alone, "demo-2": sender, "demo-10": cascaded });
    assert.equal(status.state, "healthy");
    assert.equal(only(status, "demo-10").upstream, "demo-2");
    assert.equal(only(status, "demo-10").sync, null);
    assert.equal(only(status, "demo-10").receiveLagBytes, 0);
    const denied = statusOf({ "demo-1": alone, "demo-10": cascaded });
    assert.match(only(denied, "demo-10").reason ?? "", /but demo-2 does not show it/);
    const silent = { "demo-1": alone, "demo-2": { unreachable: "no" }, "demo-10": cascaded };
    assert.match(
      only(statusOf(silent), "demo-10").reason ?? "",
      /from demo-2, which does not answer/,
    );
  });

  it("does not believe a standby that streams on its own word", () => {
    const status = statusOf({ "demo-1": { ...PRIMARY, replication: [peer("demo-10")] } });
    assert.equal(status.state, "degraded");
    assert.equal(only(status, "demo-2").state, "catching-up");
    assert.match(only(status, "demo-2").reason ?? "", /demo-1 does not show it/);
  });

  it("does not believe that a member streams which does not say that it is a standby", () => {
    const status = statusOf({ "demo-2": member("demo-2", { role: "none" }) });
    assert.equal(status.state, "degraded");
    assert.equal(only(status, "demo-2").state, "catching-up");
  });

  it("does not believe a standby on another timeline, of another system, or of unknown lag", () => {
    for (const change of [
      { timeline: 1 },
      { timeline: null },
      { systemId: "9" },
      { flushLsn: null },
    ]) {
      const status = statusOf({ "demo-2": member("demo-2", change) });
      assert.equal(status.state, "degraded", JSON.stringify(change));
      assert.equal(only(status, "demo-2").state, "catching-up");
    }
  });

  it("has no primary when the leaseholder does not answer, and says that its state is not known", () => {
    const status = statusOf({ "demo-1": { unreachable: "connection refused" } });
    assert.equal(status.state, "no-primary");
    assert.equal(status.primary, null);
    assert.equal(only(status, "demo-1").reason, "connection refused");
    assert.match(status.warnings.join("\n"), /demo-1 holds the lease but does not answer/);
    assert.equal(only(status, "demo-2").receiveLagBytes, null);
    assert.notEqual(only(status, "demo-2").state, "streaming");
  });

  it("is degraded and loud when two members say that they are the primary", () => {
    const status = statusOf({ "demo-2": member("demo-2", { role: "primary", state: "running" }) });
    assert.equal(status.state, "degraded");
    assert.match(status.warnings[0] ?? "", /^SPLIT BRAIN: demo-1 and demo-2 .* held by demo-1/);
  });

  it("has no primary when the one that says so does not hold the lease", () => {
    const status = statusOf({}, recordOf({ leader: null, heir: "demo-2" }));
    assert.equal(status.state, "no-primary");
    assert.match(status.warnings[0] ?? "", /held by nobody/);
  });

  it("is degraded while the primary acts for an older term or a switchover goes on", () => {
    assert.equal(statusOf({ "demo-1": { ...PRIMARY, term: 2 } }).state, "degraded");
    const switching = statusOf({}, recordOf({ switchover: { from: "demo-1", to: "demo-2" } }));
    assert.equal(switching.state, "degraded");
    assert.match(switching.warnings.join(), /switchover from demo-1 to demo-2/);
  });

  it("says paused only when all else is well", () => {
    assert.equal(statusOf({}, recordOf({ paused: true })).state, "paused");
    const worse = statusOf({ "demo-2": { unreachable: "gone" } }, recordOf({ paused: true }));
    assert.equal(worse.state, "degraded");
    assert.ok(worse.warnings.includes("automatic failover is paused"));
  });

  it("warns of members that run different versions or are strangers, then of what the caller found", () => {
    const status = statusOf({
      "demo-2": member("demo-2", { postgresVersion: "15.17" }),
      "demo-9": member("demo-9"),
    });
    const text = status.warnings.join("\n");
    assert.match(text, /different versions: 15\.17 and 15\.18/);
    assert.match(text, /demo-9 answers, but the record does not name it/);
    assert.equal(status.warnings.at(-1), "one disk");
  });

  it("passes on what an agent warns of", () => {
    const status = statusOf({
      "demo-2": member("demo-2", { warnings: ["its disk is nearly full"] }),
    });
    assert.deepEqual(only(status, "demo-2").warnings, ["its disk is nearly full"]);
  });

  it("gives scripts the exit statuses 0, 7 and 8", () => {
    assert.equal(exitStatusOf("healthy"), 0);
    assert.equal(exitStatusOf("degraded"), 7);
    assert.equal(exitStatusOf("paused"), 7);
    assert.equal(exitStatusOf("no-primary"), 8);
  });
});

const lsnText = fc.option(
  fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }).map((n) => formatLsn(lsnFromBigInt(n))),
);
const answer = (name: string): fc.Arbitrary<MemberAnswer> =>
  fc.oneof(
    { weight: 1, arbitrary: fc.constant({ unreachable: "it does not answer" }) },
    {
      weight: 5,
      arbitrary: fc
        .record({
          role: fc.constantFrom("primary", "standby", "none"),
          state: fc.constantFrom("running", "streaming", "catching-up", "starting", "failed"),
          timeline: fc.constantFrom(1, 2, null),
          term: fc.constantFrom(2, 3, null),
          writeLsn: lsnText,
          flushLsn: lsnText,
          replayLsn: lsnText,
          shown: fc.subarray(NAMES),
        })
        .map(({ shown, ...rest }) =>
          member(name, { ...rest, replication: shown.map((n) => peer(n)) }),
        ),
    },
  );
const situation = fc.record({
  leader: fc.constantFrom("demo-1", "demo-2", null),
  paused: fc.boolean(),
  answers: fc.tuple(...NAMES.map((name) => answer(name))),
});

function statusIn(from: { leader: string | null; paused: boolean; answers: MemberAnswer[] }) {
  const leader =
    from.leader === null ? null : { member: from.leader, renewals: 1, lsn: null, timeline: 2 };
  const statuses = new Map(
    NAMES.map((name, at) => [name, from.answers[at] ?? { unreachable: "?" }]),
  );
  return summarize({
    record: recordOf({ leader, paused: from.paused }),
    statuses,
    extraWarnings: [],
  });
}

describe("the status of any cluster in any state", () => {
  it("is healthy only when everything is known and proven", () => {
    fc.assert(
      fc.property(situation, (from) => {
        const status = statusIn(from);
        if (status.state !== "healthy") return;
        const claims = from.answers.filter((each) => "role" in each && each.role === "primary");
        assert.equal(claims.length, 1);
        assert.equal(status.primary, from.leader);
        for (const each of status.members) {
          assert.notEqual(each.state, "unreachable");
          if (each.name === status.primary) continue;
          assert.equal(each.state, "streaming");
          assert.equal(each.timeline, status.timeline);
          assert.ok(each.receiveLagBytes !== null && each.replayLagBytes !== null);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it("is never healthy once one member stops answering", () => {
    fc.assert(
      fc.property(situation, fc.nat({ max: 2 }), (from, lost) => {
        const answers = from.answers.with(lost, { unreachable: "gone" });
        assert.notEqual(statusIn({ ...from, answers }).state, "healthy");
      }),
    );
  });

  it("never has a negative lag, and none at all where a position is unknown", () => {
    fc.assert(
      fc.property(situation, (from) => {
        for (const each of statusIn(from).members) {
          assert.ok(MEMBER_STATES.includes(each.state));
          assert.ok((each.receiveLagBytes ?? 0) >= 0 && (each.replayLagBytes ?? 0) >= 0);
          if (each.flushLsn === null) assert.equal(each.receiveLagBytes, null);
          if (each.replayLsn === null) assert.equal(each.replayLagBytes, null);
        }
      }),
    );
  });

  it("does not depend on the order of the answers and survives JSON unchanged", () => {
    fc.assert(
      fc.property(situation, (from) => {
        const status = statusIn(from);
        assert.deepEqual(JSON.parse(JSON.stringify(status)), status);
        const answers = NAMES.map(
          (name, at) => [name, from.answers[at] ?? { unreachable: "?" }] as const,
        );
        const leader =
          from.leader === null
            ? null
            : { member: from.leader, renewals: 1, lsn: null, timeline: 2 };
        const turned = summarize({
          record: recordOf({ leader, paused: from.paused }),
          statuses: new Map(answers.toReversed()),
          extraWarnings: [],
        });
        assert.deepEqual(turned, status);
      }),
    );
  });

  it("says split brain in words whenever two members claim the part", () => {
    fc.assert(
      fc.property(situation, (from) => {
        const claims = from.answers.filter((each) => "role" in each && each.role === "primary");
        const status = statusIn(from);
        assert.equal(
          status.warnings.some((text) => text.startsWith("SPLIT BRAIN")),
          claims.length > 1,
        );
        if (claims.length > 1) assert.equal(status.state, "degraded");
      }),
    );
  });
});
