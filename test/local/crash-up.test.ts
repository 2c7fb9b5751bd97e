// `up` itself killed, interrupted and raced with: the next one must succeed, and nothing may be
// left where it says so.
import assert from "node:assert/strict";
import { readdir, stat } from "node:fs/promises";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { tryLock } from "../../src/store/process-lock.ts";
import { withClient } from "../support/app-writer.ts";
import { eventually } from "../support/eventually.ts";
import {
  TestCluster,
  describe as described,
  errorOf,
  type CommandResult,
} from "../support/local-cluster.ts";
import { writeUrl } from "./cluster-facts.ts";
import { superuserUrl } from "./server-facts.ts";

/**
 * Milliseconds after the start of `up`; what they hit differs from machine to machine, and all of
 * it must do.
 */
const MOMENTS = [120, 350, 700, 1_200, 2_000, 3_500];

describe("up", () => {
  for (const afterMs of MOMENTS)
    it(`succeeds after one that was killed ${afterMs} ms after its start`, async () => {
      await using cluster = await TestCluster.reserve(15);
      const first = cluster.begin(cluster.upArgs());
      await delay(afterMs);
      first.child.kill("SIGKILL");
      await first.ended;
      await cluster.ok(cluster.upArgs());
      const status = await cluster.untilHealthy();
      assert.equal(status.members.length, 3);
      assert.equal(status.members.filter(({ role }) => role === "primary").length, 1);
    });

  it("says so when the agent of a member that is being made dies, and the next one makes it", async () => {
    await using cluster = await TestCluster.reserve(15);
    const first = cluster.begin(cluster.upArgs());
    await eventually("the agent of t-2 runs", () => cluster.findAgent("t-2") !== null);
    await cluster.kill(cluster.agentPid("t-2"));
    const result = await first.ended;
    assert.equal(errorOf(result).code, "AGENT_FAILED", described(result));
    assert.match(errorOf(result).message, /the agent of t-2 ended with SIGKILL/);
    await cluster.ok(cluster.upArgs());
    const status = await cluster.untilHealthy();
    assert.equal(status.members.length, 3);
  });

  it("leaves nothing when the first is interrupted before the primary runs", async () => {
    await using cluster = await TestCluster.reserve(15);
    await interruptedFirst(cluster, async () => (await readdir(cluster.dir)).length > 1);
  });

  it("leaves nothing when the first is interrupted while standbys are copied", async () => {
    await using cluster = await TestCluster.reserve(15);
    await interruptedFirst(cluster, () => cluster.serverPids("t-1").length > 0);
  });

  it("says what goes on when a later one is interrupted", async () => {
    await using cluster = await TestCluster.up(15, { standbys: 1 });
    await cluster.ok(["down"]);
    const result = await interruptedLater(cluster);
    assert.equal(result.status, 130, described(result));
    const { code, message, hint } = errorOf(result);
    assert.equal(code, "INTERRUPTED");
    assert.match(message, /the agents of t that were started go on/);
    assert.match(hint, /understudy .*status.*understudy .*down/);
    await cluster.ok(["up"]);
    await cluster.untilHealthy();
  });

  it("does not return before the applications' database is there", async () => {
    await using cluster = await TestCluster.up(15, { standbys: 1 });
    await withClient(await superuserUrl(cluster, "t-1"), async (holder) => {
      // Whoever is connected to template1 holds up every CREATE DATABASE.
      await holder.query("DROP DATABASE app");
      for (const member of ["t-1", "t-2"]) await cluster.killAgentForGood(member);
      const up = cluster.begin(["up"]);
      let hasEnded = false;
      void up.ended.then(() => (hasEnded = true));
      await eventually("the agent tries to make the database", async () => {
        const { rows } = await holder.query(
          "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'CREATE DATABASE%'",
        );
        return rows.length > 0;
      });
      await cluster.until("everything else is there", ({ state }) => state === "healthy");
      assert.equal(hasEnded, false);
      await holder.end();
      assert.equal((await up.ended).status, 0);
    });
    await withClient(await writeUrl(cluster), (client) => client.query("SELECT 1"));
  });

  it("run twice at the same moment makes one cluster", async () => {
    await using cluster = await TestCluster.reserve(15);
    const both = await Promise.all([cluster.run(cluster.upArgs()), cluster.run(cluster.upArgs())]);
    const [won, other] = both.toSorted((one, two) => (one.status ?? 99) - (two.status ?? 99));
    assert.equal(won?.status, 0, both.map((each) => described(each)).join("\n"));
    assertGaveWay(other);
    const status = await cluster.untilHealthy();
    assert.equal(status.members.length, 3);
    assert.equal(cluster.processes().filter(({ command }) => / agent /.test(command)).length, 3);
  });

  it("run twice at the same moment brings a stopped cluster back once", async () => {
    await using cluster = await TestCluster.up(15, { standbys: 1 });
    await cluster.ok(["down"]);
    const both = await Promise.all([cluster.run(["up"]), cluster.run(["up"])]);
    const [won, other] = both.toSorted((one, two) => (one.status ?? 99) - (two.status ?? 99));
    assert.equal(won?.status, 0, both.map((each) => described(each)).join("\n"));
    assertGaveWay(other);
    await cluster.untilHealthy();
    assert.equal(cluster.processes().filter(({ command }) => / agent /.test(command)).length, 2);
  });
});

async function interruptedFirst(
  cluster: TestCluster,
  isMoment: () => Promise<boolean> | boolean,
): Promise<void> {
  const first = cluster.begin(cluster.upArgs());
  await eventually("the moment has come", isMoment);
  first.child.kill("SIGINT");
  const result = await first.ended;
  assert.equal(result.status, 130, described(result));
  assert.equal(errorOf(result).code, "INTERRUPTED");
  assert.deepEqual(cluster.processes(), []);
  await assert.rejects(stat(cluster.dir), { code: "ENOENT" });
}

/** It waits for t-2, whose agent seems to run, until it is interrupted. */
async function interruptedLater(cluster: TestCluster): Promise<CommandResult> {
  using lock = tryLock(cluster.paths("t-2").agentLock);
  assert.ok(lock !== null);
  const later = cluster.begin(["up"]);
  await eventually("an agent runs", () => cluster.findAgent("t-1") !== null);
  later.child.kill("SIGINT");
  return await later.ended;
}

/** It came while the other was at it, or after it had ended. */
function assertGaveWay(result: Awaited<ReturnType<TestCluster["run"]>> | undefined): void {
  assert.ok(result !== undefined);
  if (result.status === 0) assert.match(result.stderr, /running already/);
  else assert.deepEqual([result.status, errorOf(result).code], [5, "OPERATION_IN_PROGRESS"]);
}
