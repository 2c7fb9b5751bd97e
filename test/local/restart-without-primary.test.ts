// Who has the most WAL leads where it is there in time; where it never comes, its disk is read.
import assert from "node:assert/strict";
import { rename } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { TestCluster } from "../support/local-cluster.ts";
import { assertAllRows } from "./cluster-facts.ts";
import { eventsOf, leads, missingOn, others, writeThenKillAll } from "./restart-order.ts";

describe("a cluster whose members were all killed, and whose primary's disk is gone", () => {
  let cluster: TestCluster;
  before(async () => {
    cluster = await TestCluster.up(15);
  });
  after(() => cluster[Symbol.asyncDispose]());

  it("is led by a standby that reads another's disk, where that one and the primary's disk are gone", async () => {
    const { primary, term } = await cluster.untilHealthy();
    const [newest = "", behind = ""] = others(primary);
    await cluster.killMember(behind);
    const acknowledged = await writeThenKillAll(cluster);
    const { data } = cluster.paths(primary ?? "");
    await rename(data, `${data}.gone`);
    await cluster.startAgent(behind);
    await leads(cluster, { name: behind, since: term });
    assert.deepEqual(await missingOn(cluster, { name: behind, acknowledged }), []);
    const elected = (await eventsOf(cluster, behind)).findLast(({ event }) => event === "elected");
    assert.equal(elected?.details?.["lostBytes"], null, "the primary's disk tells nothing");
    await cluster.startAgent(newest);
    await cluster.ok(["up"]);
    await cluster.untilHealthy();
    await assertAllRows(cluster, acknowledged);
  });

  it("loses nothing where the newest comes after another, and the primary never does", async () => {
    const { primary, term } = await cluster.untilHealthy();
    const [newest = "", behind = ""] = others(primary);
    await cluster.killMember(behind);
    const acknowledged = await writeThenKillAll(cluster);
    const { data } = cluster.paths(primary ?? "");
    await rename(data, `${data}.gone`);
    await cluster.startAgent(behind);
    await cluster.startAgent(newest);
    // The newest, unless this machine is so slow that it comes later than ten seconds after.
    const later = await cluster.until("one of them leads", (status) => {
      return status.primary !== null && status.term > term;
    });
    const name = later.primary ?? "";
    assert.deepEqual(await missingOn(cluster, { name, acknowledged }), []);
    await cluster.ok(["up"]);
    await cluster.untilHealthy();
    await assertAllRows(cluster, acknowledged);
  });
});
