// Deleting a cluster: also where an earlier deletion or removal was killed on its way.
import assert from "node:assert/strict";
import { readdir, rename, rm, writeFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { clusterPaths } from "../../src/agent/member-paths.ts";
import { signal } from "../support/cluster-processes.ts";
import { TestCluster } from "../support/local-cluster.ts";

describe("down --delete", () => {
  it("ends the agent of a member that the record does not name any more", async () => {
    await using cluster = await TestCluster.up(15, { standbys: 1 });
    const agent = cluster.agentPid("t-2");
    signal(agent, "SIGSTOP");
    const removal = cluster.begin(["standby", "remove", "t-2", "--yes"]);
    await cluster.until("the record has no t-2", ({ members }) => members.length === 1);
    removal.child.kill("SIGKILL");
    await removal.ended;
    assert.equal(cluster.findAgent("t-2"), agent);
    signal(agent, "SIGCONT");
    await cluster.ok(["down", "--delete", "--yes"]);
    assert.deepEqual(cluster.processes(), []);
    await assert.rejects(readdir(cluster.dir), { code: "ENOENT" });
  });

  it("stops servers that nothing names any more before it takes their data", async () => {
    await using cluster = await TestCluster.up(15, { standbys: 1 });
    for (const name of ["t-1", "t-2"]) await cluster.killAgentForGood(name);
    const { record } = clusterPaths(cluster.dir);
    await writeFile(record, "no database");
    for (const suffix of ["-wal", "-shm"]) await rm(`${record}${suffix}`, { force: true });
    for (const name of ["t-1", "t-2"]) await rm(cluster.paths(name).address);
    assert.notDeepEqual(cluster.serverPids("t-1"), []);
    await cluster.ok(["down", "--delete", "--yes"]);
    assert.deepEqual(cluster.processes(), []);
    await assert.rejects(readdir(cluster.dir), { code: "ENOENT" });
  });

  it("that was killed after the data was taken away can be repeated, or begun anew over", async () => {
    await using cluster = await TestCluster.up(15, { standbys: 1 });
    const { members, cluster: specification } = clusterPaths(cluster.dir);
    await cluster.ok(["down"]);
    await rename(members, `${members}-deleted`);
    await cluster.ok(["down", "--delete", "--yes"]);
    await assert.rejects(readdir(cluster.dir), { code: "ENOENT" });
    await cluster.ok(cluster.upArgs({ standbys: 1 }));
    await cluster.ok(["down"]);
    await rename(members, `${members}-deleted`);
    await rm(specification);
    await cluster.ok(cluster.upArgs({ standbys: 1 }));
    await cluster.untilHealthy();
    assert.ok(!(await readdir(cluster.dir)).includes("members-deleted"));
  });
});
