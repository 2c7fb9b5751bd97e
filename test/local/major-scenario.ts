// One cluster of one major through everything that a user does with it, in one order; each step is
// a test of its own. For majors-*.test.ts, which divide the majors among them.
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import type { ClusterStatus } from "../../src/core/cluster-status.ts";
import type { Major } from "../../src/core/spec.ts";
import { AppWriter, withClient } from "../support/app-writer.ts";
import { eventually } from "../support/eventually.ts";
import { TestCluster, memberOf } from "../support/local-cluster.ts";
import { assertAllRows, hasNoLag, memberUrl, urlOf, writeUrl } from "./cluster-facts.ts";
import { assertStatusShape } from "./status-shape.ts";

/** Where something of ours is done in another way; UNDERSTUDY_TEST_WHOLE=1 is for all of them. */
const WHOLE: ReadonlySet<Major> = new Set([10, 12, 15, 18]);

export function describeMajor(major: Major): void {
  describe(`PostgreSQL ${major}`, () => {
    let cluster: TestCluster;
    before(async () => {
      cluster = await TestCluster.reserve(major);
    });
    after(() => cluster[Symbol.asyncDispose]());

    it("comes up with two standbys that stream", () => comesUp(cluster, major));
    it("has a row of the primary on both standbys, which refuse writes", () => replicates(cluster));
    it("switches over there and back under a writer and loses nothing", () =>
      switchesOver(cluster));
    it("goes down and comes up with the same data", () => downAndUp(cluster));
    if (!WHOLE.has(major) && process.env["UNDERSTUDY_TEST_WHOLE"] !== "1") return;
    it("gets a standby more and loses it again", () => addsAndRemoves(cluster));
    it("restarts every member", () => restarts(cluster));
    it("comes back after SIGKILL of everything at once", () => survivesPowerFailure(cluster));
  });
}

async function comesUp(cluster: TestCluster, major: Major): Promise<void> {
  const printed: ClusterStatus = JSON.parse(await cluster.ok(cluster.upArgs()));
  assert.equal(printed.state, "healthy");
  const status = await cluster.status();
  assertStatusShape(status);
  assert.equal(status.state, "healthy");
  assert.equal(status.cluster, cluster.name);
  assert.equal(status.primary, cluster.memberName(1));
  assert.equal(status.term, 1);
  assert.equal(Number.parseInt(status.postgresVersion ?? "", 10), major);
  assert.deepEqual(
    status.members.map(({ name, role, state, port }) => ({ name, role, state, port })),
    [
      { name: "t-1", role: "primary", state: "running", port: cluster.port },
      { name: "t-2", role: "standby", state: "streaming", port: cluster.port + 1 },
      { name: "t-3", role: "standby", state: "streaming", port: cluster.port + 2 },
    ],
  );
  await cluster.until("the lag of both standbys is 0 while the primary is idle", hasNoLag);
  const again = await cluster.run(["up"]);
  assert.equal(again.status, 0);
  assert.match(again.stderr, /running already/);
  assert.deepEqual(pidsOf(await cluster.status()), pidsOf(status), "a second up changes nothing");
}

function pidsOf({ members }: ClusterStatus): (number | null)[] {
  return members.map(({ pid }) => pid);
}

async function replicates(cluster: TestCluster): Promise<void> {
  await withClient(await writeUrl(cluster), async (client) => {
    await client.query("CREATE TABLE seen (word text)");
    await client.query("INSERT INTO seen VALUES ('streamed')");
  });
  for (const name of ["t-2", "t-3"])
    await withClient(await memberUrl(cluster, name), async (client) => {
      const rows = await eventually(`the row is on ${name}`, async () => {
        const found = await client.query("SELECT word FROM seen");
        return found.rows.length > 0 ? found.rows : null;
      });
      assert.deepEqual(rows, [{ word: "streamed" }]);
      await assert.rejects(client.query("INSERT INTO seen VALUES ('refused')"), { code: "25006" });
    });
  await withClient(await urlOf(cluster, ["url", "--read"]), async (client) => {
    const { rows } = await client.query("SELECT pg_is_in_recovery() AS standby");
    assert.deepEqual(rows, [{ standby: true }], "the read URL leads to a standby");
  });
}

async function switchesOver(cluster: TestCluster): Promise<void> {
  await using writer = await AppWriter.start(await writeUrl(cluster));
  try {
    await writer.hasWritten(50);
    await switchTo(cluster, { from: "t-1", to: "t-2", writer });
    await switchTo(cluster, { from: "t-2", to: "t-1", writer });
  } finally {
    await writer.stop();
  }
  await assertAllRows(cluster, writer.acknowledged);
}

async function switchTo(
  cluster: TestCluster,
  hand: { from: string; to: string; writer: AppWriter },
): Promise<void> {
  const { from, to, writer } = hand;
  const { term } = await cluster.status();
  const outcome: { from: string; to: string } = JSON.parse(
    await cluster.ok(["switchover", "--to", to]),
  );
  assert.deepEqual({ from: outcome.from, to: outcome.to }, { from, to });
  await writer.hasWritten(50);
  const status = await cluster.untilHealthy();
  assert.equal(status.primary, to);
  assert.equal(status.term, term + 1);
  const old = memberOf(status, from);
  assert.deepEqual([old.role, old.state, old.timeline], ["standby", "streaming", status.timeline]);
}

async function addsAndRemoves(cluster: TestCluster): Promise<void> {
  const added: { member: string } = JSON.parse(await cluster.ok(["standby", "add"]));
  assert.equal(added.member, "t-4");
  const status = await cluster.untilHealthy();
  assert.equal(memberOf(status, "t-4").state, "streaming");
  await withClient(await memberUrl(cluster, "t-4"), async (client) => {
    const { rows } = await client.query("SELECT word FROM seen");
    assert.deepEqual(rows, [{ word: "streamed" }]);
  });
  await cluster.ok(["standby", "remove", "t-4", "--yes"]);
  const left = await cluster.untilHealthy();
  assert.deepEqual(
    left.members.map(({ name }) => name),
    ["t-1", "t-2", "t-3"],
  );
  assert.deepEqual(cluster.serverPids("t-4"), []);
  assert.equal(cluster.findAgent("t-4"), null);
  await eventually("the slot of the removed standby is dropped", async () => {
    const slots: { rows: unknown[][] } = JSON.parse(
      await cluster.ok(["sql", "SELECT slot_name FROM pg_replication_slots ORDER BY 1"]),
    );
    return JSON.stringify(slots).includes("t_4") ? null : slots;
  });
}

async function restarts(cluster: TestCluster): Promise<void> {
  const earlier = await cluster.status();
  const outcome: { restarted: string[] } = JSON.parse(await cluster.ok(["restart"]));
  assert.deepEqual(outcome.restarted, ["t-2", "t-3", "t-1"], "the primary last");
  const status = await cluster.untilHealthy();
  assert.equal(status.primary, "t-1");
  for (const { name, pid } of status.members)
    assert.notEqual(pid, memberOf(earlier, name).pid, `${name} has another postmaster`);
}

async function downAndUp(cluster: TestCluster): Promise<void> {
  const earlier = await cluster.status();
  await cluster.ok(["down"]);
  assert.deepEqual(cluster.processes(), []);
  await assertBack(cluster, earlier);
  // Nobody takes the part of a primary that was stopped on request.
  assert.equal((await cluster.status()).primary, earlier.primary);
}

async function survivesPowerFailure(cluster: TestCluster): Promise<void> {
  await using writer = await AppWriter.start(await writeUrl(cluster));
  await writer.hasWritten(50);
  const earlier = await cluster.status();
  await cluster.killAll();
  const acknowledged = await writer.stop();
  assert.deepEqual(cluster.processes(), []);
  // What a reboot does to /tmp and /run must not matter either.
  await rm(`/tmp/.s.PGSQL.${cluster.port}.lock`, { force: true });
  // Which of them leads is not promised: a primary that crashed gives way to a standby that is up.
  await assertBack(cluster, earlier);
  await assertAllRows(cluster, acknowledged);
}

/** `up` brings back the same cluster: one primary, the same system, the same rows. */
async function assertBack(cluster: TestCluster, earlier: ClusterStatus): Promise<void> {
  await cluster.ok(["up"]);
  const status = await cluster.untilHealthy();
  assertStatusShape(status);
  assert.equal(status.systemId, earlier.systemId);
  assert.deepEqual(
    status.members.map(({ name, port }) => ({ name, port })),
    earlier.members.map(({ name, port }) => ({ name, port })),
  );
  assert.equal(status.members.filter(({ role }) => role === "primary").length, 1);
  for (const { name } of status.members)
    await withClient(await memberUrl(cluster, name), async (client) => {
      const { rows } = await client.query("SELECT word FROM seen");
      assert.deepEqual(rows, [{ word: "streamed" }], `on ${name}`);
    });
}
