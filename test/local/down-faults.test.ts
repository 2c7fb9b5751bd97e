// `down` while something is wrong: the primary that was is named to lead again, whatever keeps its
// agent from saying so.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { clusterPaths } from "../../src/agent/member-paths.ts";
import { SqliteStore } from "../../src/store/sqlite-store.ts";
import { TestCluster } from "../support/local-cluster.ts";
import { held } from "./store-outage.ts";

describe("down", () => {
  let cluster: TestCluster;
  before(async () => {
    cluster = await TestCluster.up(15);
  });
  after(() => cluster[Symbol.asyncDispose]());

  it("of a primary whose agent is dead keeps it the primary", async () => {
    const { primary, term } = await cluster.untilHealthy();
    await cluster.killAgentForGood(primary ?? "");
    await cluster.ok(["down"]);
    await using store = new SqliteStore({
      path: clusterPaths(cluster.dir).record,
      cluster: cluster.name,
    });
    const record = (await store.read())?.record;
    assert.deepEqual([record?.leader, record?.heir, record?.term], [null, primary, term]);
    await cluster.ok(["up"]);
    assert.equal((await cluster.untilHealthy()).primary, primary);
  });

  it("while the store is held stops everything, and the primary is the same afterwards", async () => {
    const { primary } = await cluster.untilHealthy();
    const release = await held({ holdMs: 600_000, freeMs: 0 })(cluster);
    try {
      await cluster.ok(["down"]);
      assert.deepEqual(cluster.processes().filter(isOurs), []);
    } finally {
      await release();
    }
    await cluster.ok(["up"]);
    assert.equal((await cluster.untilHealthy()).primary, primary);
  });
});

/** The one that holds the store names its path, too. */
function isOurs({ command }: { command: string }): boolean {
  return !command.includes("hold-store-child");
}
