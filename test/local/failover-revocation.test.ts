// The lease is taken from a lost primary before anybody else may have it: nobody is named while it
// may still take writes, it is named again where that does not end, and one that cannot start does
// not keep another from leading.
import assert from "node:assert/strict";
import { appendFile, readFile, writeFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import type { ClusterRecord } from "../../src/core/record.ts";
import {
  changeClusterRecord,
  openCluster,
  readRecord,
  type Operation,
} from "../../src/local/cluster.ts";
import { revoke } from "../../src/local/revocation.ts";
import { withClient } from "../support/app-writer.ts";
import { signal } from "../support/cluster-processes.ts";
import { freezeMember } from "../support/frozen-member.ts";
import { TestCluster, memberOf } from "../support/local-cluster.ts";
import { hasNoLag, memberUrl } from "./cluster-facts.ts";

const OPERATION_LIMIT_MS = 60_000;

function operation(): Operation {
  const limit = AbortSignal.timeout(OPERATION_LIMIT_MS);
  return { signal: limit, timeoutMs: OPERATION_LIMIT_MS, wait: true, onStep: () => {} };
}

function freed(record: ClusterRecord): ClusterRecord {
  return { ...record, leader: null, electing: true };
}

describe("a lease that is taken away", () => {
  let cluster: TestCluster;
  before(async () => {
    cluster = await TestCluster.up(15, { standbys: 1 });
  });
  after(() => cluster[Symbol.asyncDispose]());

  async function open() {
    return await openCluster({ name: cluster.name, dir: cluster.dir });
  }

  it("of a primary that lives leaves nobody writable, and can be given back", async () => {
    const earlier = await cluster.untilHealthy();
    const opened = await open();
    const record = await readRecord(opened);
    const revocation = await revoke(opened, { record, to: "t-2", operation: operation() });
    const { leader, heir } = await readRecord(opened);
    assert.deepEqual([leader, heir], [null, null]);
    const url = await memberUrl(cluster, "t-1");
    await cluster.until("t-1 is a standby", (status) => memberOf(status, "t-1").role === "standby");
    const { rows } = await withClient(url, (client) =>
      client.query("SELECT pg_is_in_recovery() AS read_only"),
    );
    assert.deepEqual(rows, [{ read_only: true }]);
    await revocation.undo();
    const later = await cluster.untilHealthy();
    assert.deepEqual([later.primary, later.term], ["t-1", earlier.term + 1]);
  });

  it("is given back where its server does not end", async () => {
    await cluster.untilHealthy();
    const opened = await open();
    const record = await readRecord(opened);
    const agent = cluster.agentPid("t-1");
    signal(agent, "SIGSTOP");
    // It would end the server that the test is about.
    await cluster.kill(...cluster.deadmanPids("t-1"));
    try {
      await assert.rejects(revoke(opened, { record, to: "t-2", operation: operation() }), {
        code: "FAILOVER_REFUSED",
        message: /PostgreSQL of t-1 has not ended within 15 s.*t-1 is named to lead again/,
      });
      assert.equal((await readRecord(opened)).heir, "t-1");
    } finally {
      signal(agent, "SIGCONT");
    }
    assert.equal((await cluster.untilHealthy()).primary, "t-1");
  });

  it("that is free already goes to nobody while the one that had it stands still: it may go on", async () => {
    await cluster.untilHealthy();
    await cluster.ok(["pause"]);
    const opened = await open();
    const frozen = await freezeMember(cluster, "t-1");
    try {
      await changeClusterRecord(opened, freed);
      const record = await readRecord(opened);
      await assert.rejects(revoke(opened, { record, to: "t-2", operation: operation() }), {
        code: "FAILOVER_REFUSED",
        message: /PostgreSQL of t-1 has not ended within 15 s.*nobody leads/,
      });
      assert.equal((await readRecord(opened)).electing, true);
    } finally {
      frozen.thaw();
    }
    await cluster.ok(["resume"]);
    const { primary } = await cluster.untilHealthy();
    if (primary !== "t-1") await cluster.ok(["switchover", "--to", "t-1", "--yes"]);
    assert.equal((await cluster.untilHealthy()).primary, "t-1");
  });

  it("of an older record is not taken", async () => {
    await cluster.untilHealthy();
    const opened = await open();
    const record = await readRecord(opened);
    const older = { ...record, term: record.term - 1 };
    await assert.rejects(revoke(opened, { record: older, to: "t-2", operation: operation() }), {
      code: "FAILOVER_REFUSED",
      message: /the record has changed meanwhile/,
    });
    assert.equal((await readRecord(opened)).leader?.member, "t-1");
  });

  it("goes to the standby where the primary's agent lives but its server does not start", async () => {
    await cluster.until("the standby has everything", hasNoLag);
    await cluster.ok(["pause"]);
    await cluster.killMember("t-1");
    const settings = `${cluster.paths("t-1").data}/postgresql.auto.conf`;
    const sound = await readFile(settings);
    await appendFile(settings, "\nthis is no setting\n");
    const up = await cluster.fails(["up", "--timeout", "120s"]);
    assert.equal(up.error.code, "START_FAILED");
    const outcome = JSON.parse(await cluster.ok(["failover", "--yes"]));
    assert.deepEqual([outcome.to, outcome.lossBytes, outcome.lossIsExact], ["t-2", 0, true]);
    await writeFile(settings, sound);
    await cluster.ok(["resume"]);
    const status = await cluster.untilHealthy();
    assert.equal(memberOf(status, "t-1").state, "streaming");
  });

  it("goes to a standby that does not start either, as it has no primary to compare itself with", async () => {
    await cluster.until("the standby has everything", hasNoLag);
    await cluster.ok(["pause"]);
    await cluster.killAll();
    const settings = `${cluster.paths("t-2").data}/postgresql.auto.conf`;
    const sound = await readFile(settings);
    await appendFile(settings, "\nthis is no setting\n");
    const up = await cluster.fails(["up", "--timeout", "120s"]);
    assert.equal(up.error.code, "START_FAILED");
    const outcome = JSON.parse(await cluster.ok(["failover", "--accept-loss", "--yes"]));
    assert.deepEqual([outcome.to, outcome.lossIsExact], ["t-1", true]);
    await writeFile(settings, sound);
    await cluster.ok(["resume"]);
    assert.equal((await cluster.untilHealthy()).primary, "t-1");
  });

  it("frees itself where the primary does not start, and the standby takes it", async () => {
    const { primary, term } = await cluster.until("the standby has everything", hasNoLag);
    assert.ok(primary !== null);
    await cluster.killAll();
    const settings = `${cluster.paths(primary).data}/postgresql.auto.conf`;
    const sound = await readFile(settings);
    await appendFile(settings, "\nthis is no setting\n");
    await cluster.fails(["up", "--timeout", "120s"]);
    const later = await cluster.until("the other leads", (status) => status.term > term);
    assert.notEqual(later.primary, primary);
    await writeFile(settings, sound);
    assert.equal(memberOf(await cluster.untilHealthy(), primary).state, "streaming");
  });
});
