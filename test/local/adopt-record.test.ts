// A record made anew from the members' data: which member leads, whose data is looked at, and what
// is refused.
import assert from "node:assert/strict";
import { copyFile, readFile, readdir, rename, rm, truncate, writeFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { clusterPaths } from "../../src/agent/member-paths.ts";
import { AppWriter } from "../support/app-writer.ts";
import { blockSpool } from "../support/blocked-spool.ts";
import { TestCluster, describe as describeResult } from "../support/local-cluster.ts";
import { assertAllRows, hasNoLag, writeUrl } from "./cluster-facts.ts";
import { cutOff, failOver } from "./crash-failover.ts";
import { treeOf } from "./refusal.ts";

describe("up --adopt-record", () => {
  let cluster: TestCluster;
  before(async () => {
    cluster = await TestCluster.up(15, { standbys: 1 });
  });
  after(() => cluster[Symbol.asyncDispose]());

  async function refused(saying: RegExp): Promise<void> {
    const earlier = await treeOf(cluster.dir);
    const { status, error } = await cluster.fails(["up", "--adopt-record"]);
    assert.deepEqual([status, error.code], [4, "REFUSED"]);
    assert.match(error.message, saying);
    assert.deepEqual(await treeOf(cluster.dir), earlier, "nothing was changed");
  }

  it("is refused while the record is sound", async () => {
    await cluster.ok(["down"]);
    await refused(/record of t is sound/);
  });

  it("takes the place of an older copy of the record that was put back", async () => {
    const { record } = clusterPaths(cluster.dir);
    await copyFile(record, `${cluster.dir}/../older.db`);
    await cluster.ok(["up"]);
    await cluster.untilHealthy();
    await cluster.ok(["switchover", "--to", "t-2"]);
    const { term } = await cluster.untilHealthy();
    await cluster.until("t-1 has everything", hasNoLag);
    await cluster.ok(["down"]);
    await rename(`${cluster.dir}/../older.db`, record);
    for (const suffix of ["-wal", "-shm"]) await rm(`${record}${suffix}`, { force: true });
    await cluster.ok(["up", "--adopt-record"]);
    const later = await cluster.untilHealthy();
    assert.ok(later.term > term, `term ${later.term} follows ${term}`);
  });

  it("is refused where a member's data cannot be read, or nobody knows where it listened", async () => {
    await cluster.ok(["down"]);
    await writeFile(clusterPaths(cluster.dir).record, "garbage ".repeat(4_096), { flag: "r+" });
    const control = `${cluster.paths("t-2").data}/global/pg_control`;
    const whole = await readFile(control);
    await truncate(control, 100);
    await refused(/t-2 has data that cannot be read/);
    await writeFile(control, whole);
    const { address } = cluster.paths("t-2");
    await rename(address, `${address}.away`);
    await refused(/where t-2 listened is not known/);
    await rename(`${address}.away`, address);
    await cluster.ok(["up", "--adopt-record"]);
    await cluster.untilHealthy();
  });

  it("has the newest leader's successor lead, not the one with more WAL, and says whose data is set aside", async () => {
    const { primary } = await cluster.untilHealthy();
    assert.ok(primary !== null);
    const standby = primary === "t-1" ? "t-2" : "t-1";
    await using writer = await AppWriter.start(await writeUrl(cluster));
    await cluster.ok(["pause"]);
    const release = await cutOff(cluster, [standby]);
    await writer.hasWritten(500);
    await cluster.killMember(primary);
    await writer.stop();
    await release();
    const unblock = await blockSpool(cluster, { standby, dead: primary });
    const { lossBytes } = await failOver(cluster, "--accept-loss");
    assert.ok(lossBytes !== null && lossBytes > 500 * 50, `${lossBytes} bytes are lost`);
    await unblock();
    await cluster.until("it leads", (status) => status.primary === standby);
    await cluster.ok(["resume"]);
    await using later = await AppWriter.start(await writeUrl(cluster));
    await later.hasWritten(5);
    const acknowledged = await later.stop();
    await cluster.ok(["down"]);
    await writeFile(clusterPaths(cluster.dir).record, "garbage ".repeat(4_096), { flag: "r+" });
    const result = await cluster.run(["up", "--adopt-record"]);
    assert.equal(result.status, 0, describeResult(result));
    assert.match(result.stderr, new RegExp(`${primary} has WAL that ${standby} has not`));
    assert.equal((await cluster.untilHealthy()).primary, standby);
    assert.equal((await readdir(cluster.paths(primary).kept)).length, 1);
    await assertAllRows(cluster, acknowledged);
  });
});
