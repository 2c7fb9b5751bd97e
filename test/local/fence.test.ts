// A member that is fenced: stopped, kept so through restarts of everything, and never chosen.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { TestCluster, memberOf } from "../support/local-cluster.ts";

describe("a member that is fenced", () => {
  let cluster: TestCluster;

  before(async () => {
    cluster = await TestCluster.up(15, { standbys: 2 });
  });

  after(async () => {
    await cluster[Symbol.asyncDispose]();
  });

  const untilPrimary = (name: string) =>
    cluster.until(`${name} leads`, ({ primary }) => primary === name);

  it("is stopped and stays so when its agent and when the whole cluster starts again", async () => {
    await cluster.ok(["fence", "t-3"]);
    assert.deepEqual(cluster.serverPids("t-3"), []);
    const told = await cluster.until("its agent says so", ({ members }) =>
      members.some(({ state }) => state === "fenced"),
    );
    assert.equal(memberOf(told, "t-3").fenced, true);
    assert.equal(told.state, "degraded");
    assert.ok(told.warnings.some((text) => /t-3 is fenced; .*understudy unfence t-3/.test(text)));
    await cluster.kill(cluster.agentPid("t-3"));
    await cluster.ok(["restart"]);
    await cluster.ok(["down"]);
    await cluster.ok(["up"]);
    await cluster.until("its agent is back", (now) => memberOf(now, "t-3").state === "fenced");
    assert.deepEqual(cluster.serverPids("t-3"), []);
  });

  it("is chosen neither by a switchover nor by a failover, by name or not", async () => {
    const { error } = await cluster.fails(["switchover", "--to", "t-3"]);
    assert.equal(error.code, "SWITCHOVER_REFUSED");
    assert.match(error.message, /t-3 is fenced/);
    for (const args of [
      ["restart", "t-3"],
      ["reclone", "t-3", "--yes"],
    ])
      assert.match((await cluster.fails(args)).error.message, /t-3 is fenced/);
    const { term } = await cluster.status();
    await cluster.killMember("t-1");
    await cluster.until("another leads", (now) => now.term > term && now.primary === "t-2");
    await cluster.ok(["up"]);
    await cluster.ok(["unfence", "t-3"]);
    await cluster.untilHealthy();
    assert.match(await cluster.ok(["unfence", "t-3"]), /t-3 is not fenced/);
  });

  it("hands over first when it is the primary, and says so before it is asked for its word", async () => {
    const { primary } = await cluster.untilHealthy();
    assert.equal(primary, "t-2");
    const unasked = await cluster.fails(["fence", "t-2"]);
    assert.deepEqual([unasked.status, unasked.error.code], [4, "CONFIRMATION_NEEDED"]);
    await cluster.ok(["fence", "t-2", "--yes"]);
    const later = await cluster.until(
      "t-2 is fenced",
      (now) => memberOf(now, "t-2").state === "fenced",
    );
    assert.ok(later.primary !== null && later.primary !== "t-2");
    await cluster.ok(["unfence", "t-2"]);
    await cluster.untilHealthy();
  });

  it("is succeeded when it is the primary and must stop at once, and nothing is lost", async () => {
    const { primary } = await cluster.untilHealthy();
    assert.ok(primary !== null);
    await cluster.ok(["sql", "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n"]);
    await cluster.ok(["fence", primary, "--now", "--yes"]);
    await cluster.until("another leads", (now) => now.primary !== null && now.primary !== primary);
    const rows = JSON.parse(await cluster.ok(["sql", "SELECT count(*)::int AS n FROM kept"]));
    assert.deepEqual(rows, [{ n: 1000 }]);
    await cluster.ok(["unfence", primary]);
    await cluster.untilHealthy();
  });

  it("is left alone where nobody can take its part, unless it must stop at once; then it comes back", async () => {
    const { primary, members } = await cluster.untilHealthy();
    assert.ok(primary !== null);
    for (const { name } of members) if (name !== primary) await cluster.ok(["fence", name]);
    const { error } = await cluster.fails(["fence", primary, "--yes"]);
    assert.equal(error.code, "SWITCHOVER_REFUSED");
    assert.match(error.message, /is fenced, t-\d is fenced$/);
    assert.match(error.hint, /--now/);
    await cluster.ok(["fence", primary, "--now", "--yes"]);
    const all = await cluster.until("all are fenced", (now) =>
      now.members.every(({ state }) => state === "fenced"),
    );
    assert.equal(all.primary, null);
    await cluster.ok(["down"]);
    await cluster.ok(["unfence", primary]);
    await cluster.ok(["up"]);
    await untilPrimary(primary);
    for (const { name } of members) if (name !== primary) await cluster.ok(["unfence", name]);
    await cluster.untilHealthy();
  });
});
