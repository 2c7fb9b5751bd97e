import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { TestCluster, memberOf } from "../support/local-cluster.ts";
import { assertAllRows } from "./cluster-facts.ts";
import { countOf, leads, missingOn, others, writeThenKillAll } from "./restart-order.ts";

describe("a cluster whose members were all killed", () => {
  let cluster: TestCluster;
  before(async () => {
    cluster = await TestCluster.up(15);
  });
  after(() => cluster[Symbol.asyncDispose]());

  it("loses nothing where the primary comes last", async () => {
    const { primary, term } = await cluster.untilHealthy();
    const acknowledged = await writeThenKillAll(cluster);
    for (const name of others(primary)) await cluster.startAgent(name);
    await cluster.startAgent(primary ?? "");
    const later = await cluster.untilHealthy();
    assert.ok(later.term >= term);
    await assertAllRows(cluster, acknowledged);
  });

  it("is led by the only one that comes, which had missed a timeline, and nobody is copied anew", async () => {
    const { primary, term, timeline } = await cluster.untilHealthy();
    const [behind = "", ahead = ""] = others(primary);
    await cluster.killMember(behind);
    // It waits for the one that is dead.
    const restart = cluster.begin(["restart", primary ?? "", "--yes"]);
    await cluster.until(`${ahead} follows to the next timeline`, (status) => {
      const { state } = memberOf(status, ahead);
      return status.timeline !== timeline && state === "streaming";
    });
    restart.child.kill("SIGINT");
    await restart.ended;
    const acknowledged = await writeThenKillAll(cluster);
    await cluster.startAgent(behind);
    const later = await leads(cluster, { name: behind, since: term });
    assert.ok(later.term > term);
    assert.deepEqual(await missingOn(cluster, { name: behind, acknowledged }), []);
    const copied = await countOf(cluster, "cloned");
    await cluster.ok(["up"]);
    await cluster.untilHealthy();
    await assertAllRows(cluster, acknowledged);
    assert.equal(await countOf(cluster, "cloned"), copied);
    assert.equal(await countOf(cluster, "data-set-aside"), 0);
  });
});
