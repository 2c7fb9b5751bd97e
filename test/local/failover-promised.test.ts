// A failover by hand of a cluster with synchronous replication whose primary is lost with its disk:
// nobody is asked to accept a loss where it is certain that no acknowledged commit is lost.
import assert from "node:assert/strict";
import { rename } from "node:fs/promises";
import { it } from "node:test";
import { AppWriter, compareRows } from "../support/app-writer.ts";
import { TestCluster } from "../support/local-cluster.ts";
import { memberUrl, writeUrl } from "./cluster-facts.ts";

it("failover takes --accept-loss only for as long as acknowledged commits may be missing", async () => {
  await using cluster = await TestCluster.up(15);
  await cluster.ok(["config", "set", "sync=on"]);
  const { primary } = await cluster.until("synchronous replication is in force", (status) => {
    return status.state === "healthy" && status.sync.guarantee?.members.length === 2;
  });
  assert.equal(primary, "t-1");
  await using writer = await AppWriter.start(await writeUrl(cluster));
  await writer.hasWritten(20);
  await cluster.ok(["pause"]);
  // Without its agent the primary takes nobody out of the set any more.
  await cluster.killAgentForGood("t-1");
  await cluster.killMember("t-3");
  const { data: hidden } = cluster.paths("t-3");
  await rename(hidden, `${hidden}.away`);
  await writer.hasWritten(20);
  await cluster.kill(...cluster.serverPids("t-1"));
  const { data: lost } = cluster.paths("t-1");
  await rename(lost, `${lost}.lost`);
  const acknowledged = await writer.stop();

  // Each commit is on t-2 or on t-3, and t-3 cannot be seen.
  const refused = await cluster.fails(["failover", "--yes"]);
  assert.equal(refused.error.code, "FAILOVER_REFUSED");
  assert.match(refused.error.hint, /--accept-loss$/);

  await rename(`${hidden}.away`, hidden);
  const plan = JSON.parse(await cluster.ok(["failover", "--dry-run"]));
  assert.deepEqual([plan.to, plan.keepsPromise, plan.lossIsExact], ["t-2", true, false]);
  const outcome = JSON.parse(await cluster.ok(["failover", "--yes"]));
  assert.deepEqual([outcome.to, outcome.keepsPromise], ["t-2", true]);
  await cluster.ok(["resume"]);
  await cluster.ok(["up"]);
  await cluster.untilHealthy();
  const { missing } = await compareRows(await memberUrl(cluster, "t-2"), acknowledged);
  assert.deepEqual(missing, []);
});
