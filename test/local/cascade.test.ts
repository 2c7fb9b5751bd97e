// A standby that streams from another standby: it falls back to the primary while that one is away,
// returns to it, and outlives a failover.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { ClusterStatus } from "../../src/core/cluster-status.ts";
import { TestCluster, memberOf } from "../support/local-cluster.ts";

describe("a cascaded standby", () => {
  let cluster: TestCluster;
  before(async () => {
    cluster = await TestCluster.up(15);
    await cluster.ok(["member", "set", "t-3", "from=t-2"]);
  });
  after(() => cluster[Symbol.asyncDispose]());

  it("streams from the standby that it was told to", async () => {
    await cluster.until("t-3 streams from t-2", streamsFrom("t-2"));
  });

  it("streams from the primary while that one is gone, and from it again when it is back", async () => {
    await cluster.killMember("t-2");
    await cluster.until("t-3 streams from t-1", streamsFrom("t-1"));
    await cluster.ok(["up"]);
    await cluster.until("t-3 streams from t-2 again", streamsFrom("t-2"));
  });

  it("streams on through a failover, whoever leads then", async () => {
    const { term } = await cluster.untilHealthy();
    await cluster.killMember("t-1");
    await cluster.until("another leads", (status) => status.term > term && status.primary !== null);
    await cluster.ok(["up"]);
    const status = await cluster.untilHealthy();
    assert.equal(status.members.length, 3);
  });
});

function streamsFrom(upstream: string): (status: ClusterStatus) => boolean {
  return (status) => {
    const member = memberOf(status, "t-3");
    return member.state === "streaming" && member.upstream === upstream;
  };
}
