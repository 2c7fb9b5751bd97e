// A cluster of one primary and two standbys for a proof, with synchronous replication where that is
// wanted: begun when the promise is in the record.
import type { Major } from "../../src/core/spec.ts";
import { openCluster, readRecord } from "../../src/local/cluster.ts";
import { eventually } from "../../test/support/eventually.ts";
import { TestCluster } from "../../test/support/local-cluster.ts";

export async function beginCluster(major: Major, sync: boolean): Promise<TestCluster> {
  const cluster = await TestCluster.up(major);
  if (!sync) return cluster;
  await cluster.ok(["config", "set", "sync=on"]);
  const opened = await openCluster({ name: cluster.name, dir: cluster.dir });
  await eventually("every acknowledged commit is promised to be on a standby", async () => {
    return (await readRecord(opened)).sync.guarantee !== null;
  });
  await cluster.untilHealthy();
  return cluster;
}
