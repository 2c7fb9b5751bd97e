// A primary that was stopped on request is waited for (prohibition P5), whoever saw it go and in
// whatever order.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { stopMember } from "../../src/local/agents.ts";
import { openCluster, readRecord, recordMember } from "../../src/local/cluster.ts";
import { signal } from "../support/cluster-processes.ts";
import { TestCluster, memberOf } from "../support/local-cluster.ts";

describe("a primary that was stopped on request", () => {
  it("leads again after up, although a standby saw its agent end before it read why", async () => {
    await using cluster = await TestCluster.up(15, { standbys: 1 });
    const { term } = await cluster.untilHealthy();
    const standby = cluster.agentPid("t-2");
    // It goes on with the record that it last read, in which t-1 leads.
    signal(standby, "SIGSTOP");
    await stopAlone(cluster, "t-1");
    signal(standby, "SIGCONT");
    const between = await cluster.until(
      "the standby's agent answers",
      (status) => memberOf(status, "t-2").state !== "unreachable",
    );
    assert.deepEqual([between.primary, between.term], [null, term]);
    await cluster.ok(["up"]);
    const status = await cluster.untilHealthy();
    assert.deepEqual([status.primary, status.term], ["t-1", term + 1]);
  });
});

/** As `down` stops one member before the others. */
async function stopAlone(cluster: TestCluster, name: string): Promise<void> {
  const opened = await openCluster({ name: cluster.name, dir: cluster.dir });
  const address = recordMember(await readRecord(opened), name);
  const operation = { signal: AbortSignal.timeout(120_000), timeoutMs: 120_000 };
  await stopMember(opened, { name, address, operation });
}
