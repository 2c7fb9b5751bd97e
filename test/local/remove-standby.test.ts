// Removing a standby: not while its data may be the only copy, and to its end where an earlier
// removal was killed on its way.
import assert from "node:assert/strict";
import { access, readdir } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { signal } from "../support/cluster-processes.ts";
import { eventually } from "../support/eventually.ts";
import { TestCluster } from "../support/local-cluster.ts";

describe("standby remove", () => {
  let cluster: TestCluster;
  before(async () => {
    cluster = await TestCluster.up(15, { standbys: 2 });
  });
  after(() => cluster[Symbol.asyncDispose]());

  it("that was killed after the record was changed can be repeated, and add says so", async () => {
    await cluster.untilHealthy();
    const agent = cluster.agentPid("t-3");
    signal(agent, "SIGSTOP");
    const removal = cluster.begin(["standby", "remove", "t-3", "--yes"]);
    await cluster.until("the record has no t-3", ({ members }) => members.length === 2);
    removal.child.kill("SIGKILL");
    assert.equal((await removal.ended).signal, "SIGKILL");
    signal(agent, "SIGCONT");
    const { error } = await cluster.fails(["standby", "add", "t-3"]);
    assert.equal(error.code, "DIRECTORY_NOT_OURS");
    assert.match(error.message, /its removal has not ended/);
    assert.match(error.hint, /standby remove t-3/);
    await cluster.ok(["standby", "remove", "t-3", "--yes"]);
    assert.deepEqual((await readdir(`${cluster.dir}/members`)).sort(), ["t-1", "t-2"]);
    assert.equal(cluster.findAgent("t-3"), null);
    assert.deepEqual(cluster.serverPids("t-3"), []);
    const again = await cluster.fails(["standby", "remove", "t-3", "--yes"]);
    assert.equal(again.error.code, "MEMBER_NOT_FOUND");
    await cluster.ok(["standby", "add", "t-3"]);
    await cluster.untilHealthy();
  });

  it("also where nothing of the removed member runs any more", async () => {
    const agent = cluster.agentPid("t-3");
    signal(agent, "SIGSTOP");
    const removal = cluster.begin(["standby", "remove", "t-3", "--yes"]);
    await cluster.until("the record has no t-3", ({ members }) => members.length === 2);
    removal.child.kill("SIGKILL");
    await removal.ended;
    await cluster.killMember("t-3");
    await cluster.ok(["standby", "remove", "t-3", "--yes"]);
    await assert.rejects(access(cluster.paths("t-3").root), { code: "ENOENT" });
  });

  it("is refused where no primary lives: it may be the last copy", async () => {
    await cluster.ok(["pause"]);
    await cluster.killMember("t-1");
    await eventually("the primary is gone", async () => (await cluster.status()).primary === null);
    const { status, error } = await cluster.fails(["standby", "remove", "t-2", "--yes"]);
    assert.deepEqual([status, error.code], [8, "NO_PRIMARY"]);
    assert.match(error.message, /may be the only copy/);
    assert.deepEqual(
      (await cluster.status()).members.map(({ name }) => name),
      ["t-1", "t-2"],
    );
    await access(cluster.paths("t-2").data);
    await cluster.ok(["up"]);
    await cluster.ok(["resume"]);
    await cluster.untilHealthy();
    await cluster.ok(["standby", "remove", "t-2", "--yes"]);
  });

  it("is refused for a former primary that has not come back: only it may have some of the data", async () => {
    await using other = await TestCluster.up(15, { standbys: 1 });
    await other.killMember("t-1");
    await other.until("t-2 leads", ({ primary }) => primary === "t-2");
    const { error } = await other.fails(["standby", "remove", "t-1", "--yes"]);
    assert.equal(error.code, "PRIMARY_PROTECTED");
    assert.match(error.message, /may hold what no other member has/);
    await other.ok(["up"]);
    await other.untilHealthy();
    await other.ok(["standby", "remove", "t-1", "--yes"]);
  });
});
