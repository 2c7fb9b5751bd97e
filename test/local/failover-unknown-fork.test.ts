// A failover by hand where one standby has all that another has and more, and does not know who
// began the timeline it is on: the WAL on their disks decides.
import assert from "node:assert/strict";
import { readFile, rename, writeFile } from "node:fs/promises";
import { it } from "node:test";
import { AppWriter, compareRows } from "../support/app-writer.ts";
import { TestCluster } from "../support/local-cluster.ts";
import { memberUrl, writeUrl } from "./cluster-facts.ts";

it("failover names the standby that has all of another's WAL, whatever it knows of terms", async () => {
  await using cluster = await TestCluster.up(15);
  await cluster.ok(["switchover", "--to", "t-2"]);
  await cluster.untilHealthy();
  await cluster.ok(["pause"]);
  await cluster.ok(["fence", "t-1"]);
  await using writer = await AppWriter.start(await writeUrl(cluster));
  await writer.hasWritten(20);
  const acknowledged = await writer.stop();
  const { missing } = await compareRows(await memberUrl(cluster, "t-3"), acknowledged);
  assert.deepEqual(missing, [], "t-3 has everything");

  // As where its agent could reach neither the store nor the new primary.
  const { memory } = cluster.paths("t-3");
  const known: { forks: unknown[] } = JSON.parse(await readFile(memory, "utf8"));
  assert.ok(known.forks.length > 1);
  await writeFile(memory, `${JSON.stringify({ ...known, forks: known.forks.slice(0, -1) })}\n`);
  await cluster.killMember("t-2");
  const { data } = cluster.paths("t-2");
  await rename(data, `${data}.lost`);

  await cluster.ok(["unfence", "t-1", "--no-wait"]);
  await cluster.until("t-1 is up", ({ members }) =>
    members.some(({ name, role, replayLsn }) => {
      return name === "t-1" && role === "standby" && replayLsn !== null;
    }),
  );
  const plan = JSON.parse(await cluster.ok(["failover", "--dry-run"]));
  assert.equal(plan.to, "t-3");
  const refused = await cluster.fails(["failover", "--to", "t-1", "--yes", "--accept-loss"]);
  assert.equal(refused.error.code, "FAILOVER_REFUSED");
  await cluster.ok(["failover", "--yes", "--accept-loss"]);
  await cluster.ok(["resume"]);
  await cluster.ok(["up"]);
  await cluster.untilHealthy();
  const after = await compareRows(await memberUrl(cluster, "t-3"), acknowledged);
  assert.deepEqual(after.missing, []);
});
