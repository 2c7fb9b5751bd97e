// What several tests ask of a cluster: its URLs, and whether every member has what was
// acknowledged.
import assert from "node:assert/strict";
import type { ClusterStatus } from "../../src/core/cluster-status.ts";
import { compareRows } from "../support/app-writer.ts";
import type { TestCluster } from "../support/local-cluster.ts";

export function writeUrl(cluster: TestCluster): Promise<string> {
  return urlOf(cluster, ["url", "--write"]);
}

export function memberUrl(cluster: TestCluster, name: string): Promise<string> {
  return urlOf(cluster, ["url", "--member", name]);
}

export async function urlOf(cluster: TestCluster, args: readonly string[]): Promise<string> {
  const { url }: { url: string } = JSON.parse(await cluster.ok(args));
  return url;
}

/** A standby more, which then leads. @returns how the cluster is then. */
export async function addLeader(cluster: TestCluster, name: string): Promise<ClusterStatus> {
  await cluster.ok(["standby", "add", name]);
  await cluster.untilHealthy();
  await cluster.ok(["switchover", "--to", name, "--yes"]);
  return cluster.untilHealthy();
}

/** Every standby has everything that the primary has. */
export function hasNoLag({ members }: ClusterStatus): boolean {
  return members
    .filter(({ role }) => role === "standby")
    .every(
      (member) =>
        member.receiveLagBytes === 0 &&
        member.replayLagBytes === 0 &&
        member.replayLagSeconds === 0,
    );
}

/** Every member has each acknowledged row, and no row twice. */
export async function assertAllRows(
  cluster: TestCluster,
  acknowledged: readonly number[],
): Promise<void> {
  const status = await cluster.until("the standbys have replayed everything", hasNoLag);
  for (const { name } of status.members)
    assert.deepEqual(
      await compareRows(await memberUrl(cluster, name), acknowledged),
      { missing: [], doubled: [] },
      `on ${name}`,
    );
}
