// Synchronous replication on a real cluster, under a writer: what is acknowledged survives the loss
// of the primary with its disk, commits wait or go on as it was wished, and nobody leads who may
// lack some. For sync-mode-*.test.ts.
import assert from "node:assert/strict";
import { rename } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import type { Client, QueryConfig } from "pg";
import type { ClusterStatus } from "../../src/core/cluster-status.ts";
import type { Major } from "../../src/core/spec.ts";
import { AppWriter, compareRows, connectAsLibpq, withClient } from "../support/app-writer.ts";
import { signal } from "../support/cluster-processes.ts";
import { eventually } from "../support/eventually.ts";
import { TestCluster, memberOf } from "../support/local-cluster.ts";
import { assertAllRows, memberUrl, writeUrl } from "./cluster-facts.ts";
import { eventsOf } from "./journal-facts.ts";

const NAMES = ["t-1", "t-2", "t-3"];

export function describeSyncMode(major: Major): void {
  describe(`PostgreSQL ${major}, synchronous replication`, () => {
    let cluster: TestCluster;
    before(async () => {
      cluster = await TestCluster.up(major);
    });
    after(() => cluster[Symbol.asyncDispose]());

    it("comes into force under load, and status tells", () => switchedOn(cluster));
    it("loses nothing with the primary and its disk", () => losesDisk(cluster));
    it("goes on after a switchover with what it has promised", () => switchesOver(cluster));
    it("lets no standby lead that may lack commits, until the others are seen", () =>
      waitsForTheUnseen(cluster));
    it("has commits wait while too few stream, and shows nobody a commit that waited (lesson 16)", () =>
      blocks(cluster));
    it("goes on with what there is where that was wished, and comes back", () => degrades(cluster));
    it("ends under load as it began", () => switchedOff(cluster));
  });
}

export async function switchedOn(cluster: TestCluster): Promise<void> {
  const asynchronous = await cluster.untilHealthy();
  assert.ok(
    asynchronous.warnings.some((text) => text.startsWith("synchronous replication is off")),
  );
  await using writer = await AppWriter.start(await writeUrl(cluster));
  await cluster.ok(["config", "set", "sync=on"]);
  const status = await untilPromised(cluster, 1);
  assert.deepEqual(status.sync.guarantee, { required: 1, members: ["t-2", "t-3"] });
  assert.deepEqual(
    status.members.map(({ sync }) => sync),
    [null, "quorum", "quorum"],
  );
  await writer.hasWritten(20);
  await writer.stop();
}

/** Nothing can be fetched from the old primary's disk: what is kept is what standbys had. */
export async function losesDisk(cluster: TestCluster): Promise<void> {
  const { primary, term } = await led(cluster);
  await using writer = await AppWriter.start(await writeUrl(cluster));
  await writer.hasWritten(100);
  await cluster.killMember(primary);
  await loseData(cluster, primary);
  const later = await nextPrimary(cluster, term);
  await writer.hasWritten(20);
  const acknowledged = await writer.stop();
  const { missing } = await compareRows(await memberUrl(cluster, later), acknowledged);
  assert.deepEqual(missing, []);
  await cluster.ok(["up"]);
  const { sync } = await untilPromised(cluster, 1);
  const standbys = NAMES.filter((name) => name !== later);
  await cluster.until("all standbys are in the set", (status) => {
    return status.sync.guarantee?.members.join() === standbys.join();
  });
  assert.ok(sync.guarantee?.members.includes(later) === false);
  await assertAllRows(cluster, acknowledged);
}

async function switchesOver(cluster: TestCluster): Promise<void> {
  const { primary } = await led(cluster);
  await using writer = await AppWriter.start(await writeUrl(cluster));
  await writer.hasWritten(20);
  await cluster.ok(["switchover"]);
  await writer.hasWritten(20);
  const acknowledged = await writer.stop();
  const status = await untilPromised(cluster, 1);
  assert.notEqual(status.primary, primary);
  await cluster.until("the former primary is in the set", ({ sync }) => {
    return sync.guarantee?.members.includes(primary) === true;
  });
  await assertAllRows(cluster, acknowledged);
}

/** Each commit is on one of two standbys, and one of these cannot be seen. */
async function waitsForTheUnseen(cluster: TestCluster): Promise<void> {
  const { primary, term } = await led(cluster);
  const [hidden = "", left = ""] = NAMES.filter((name) => name !== primary);
  await using writer = await AppWriter.start(await writeUrl(cluster));
  await writer.hasWritten(20);
  // Without its agent the primary takes nobody out of the set any more.
  await cluster.killAgentForGood(primary);
  await cluster.killMember(hidden);
  const bringBack = await loseData(cluster, hidden);
  // Or it reads from the primary's disk that it has everything, before that is gone.
  signal(cluster.agentPid(left), "SIGSTOP");
  await cluster.kill(...cluster.serverPids(primary));
  await loseData(cluster, primary);
  signal(cluster.agentPid(left), "SIGCONT");
  const acknowledged = await writer.stop();
  const waiting = await cluster.until("the standby that is left says why it waits", (status) =>
    memberOf(status, left).warnings.some((text) => text.includes("does not take the free lease")),
  );
  assert.deepEqual([waiting.primary, waiting.term], [null, term]);
  const told = (await eventsOf(cluster, left)).find(({ event }) => event === "election-waits");
  assert.match(told?.message ?? "", new RegExp(`${hidden} cannot be seen.*--accept-loss`));
  await bringBack();
  const next = await nextPrimary(cluster, term);
  await cluster.ok(["up"]);
  await untilPromised(cluster, 1);
  const { missing } = await compareRows(await memberUrl(cluster, next), acknowledged);
  assert.deepEqual(missing, []);
}

async function blocks(cluster: TestCluster): Promise<void> {
  const { primary } = await led(cluster);
  const standbys = NAMES.filter((name) => name !== primary);
  for (const name of standbys) await cluster.killMember(name);
  const session = await connectAsLibpq(await memberUrl(cluster, primary));
  const waiting = insertOne(session, -1);
  await isSeenToWait(cluster);
  assert.ok(
    (await cluster.status()).warnings.some((text) => text.startsWith("writes wait: ")),
    "status says that writes wait",
  );
  assert.equal(waiting.isDone(), false);
  await cluster.kill(...cluster.serverPids(primary));
  const closed = await cluster.until("the primary is back, and closed", (status) => {
    const { role, state } = memberOf(status, primary);
    return role === "primary" && state === "starting";
  });
  assert.match(memberOf(closed, primary).reason ?? "", /^it takes no applications yet: /);
  await assert.rejects(
    withClient(await memberUrl(cluster, primary), (client) => client.query("SELECT 1")),
    /pg_hba\.conf rejects/,
  );
  assert.equal(await waiting.end(), "failed");
  await cluster.ok(["up"]);
  await untilPromised(cluster, 1);
  // It was never acknowledged, and it is everywhere: whoever sees it does not see it vanish.
  const { doubled } = await compareRows(await memberUrl(cluster, primary), []);
  assert.deepEqual(doubled, []);
  await assertAllRows(cluster, [-1]);
}

async function degrades(cluster: TestCluster): Promise<void> {
  await cluster.ok(["config", "set", "whenUnavailable=degrade"]);
  const { primary } = await led(cluster);
  const standbys = NAMES.filter((name) => name !== primary);
  for (const name of standbys) await cluster.killMember(name);
  const session = await connectAsLibpq(await memberUrl(cluster, primary));
  assert.equal(await insertOne(session, -2).end(), "done");
  await session.end();
  const lowered = await cluster.until("nothing is promised", ({ sync }) => sync.guarantee === null);
  assert.ok(lowered.warnings.some((text) => text.startsWith("commits wait for no standby")));
  const told = (await eventsOf(cluster, primary)).find(({ event }) => event === "sync-ended");
  assert.equal(told?.level, "warning");
  await cluster.ok(["up"]);
  await untilPromised(cluster, 1);
  await assertAllRows(cluster, [-1, -2]);
}

export async function switchedOff(cluster: TestCluster): Promise<void> {
  await using writer = await AppWriter.start(await writeUrl(cluster));
  await writer.hasWritten(20);
  await cluster.ok(["config", "set", "sync=off"]);
  await cluster.until("commits wait for nobody", ({ members, sync }) => {
    return sync.guarantee === null && members.every((member) => member.sync !== "quorum");
  });
  await writer.hasWritten(20);
  await cluster.untilHealthy();
  await assertAllRows(cluster, await writer.stop());
}

export function untilPromised(cluster: TestCluster, required: number): Promise<ClusterStatus> {
  return cluster.until("synchronous replication is in force", ({ state, sync }) => {
    return state === "healthy" && sync.guarantee?.required === required;
  });
}

async function led(cluster: TestCluster): Promise<{ primary: string; term: number }> {
  const { primary, term } = await cluster.untilHealthy();
  assert.ok(primary !== null);
  return { primary, term };
}

async function nextPrimary(cluster: TestCluster, term: number): Promise<string> {
  const status = await cluster.until("another member leads", (seen) => {
    return seen.term > term && seen.primary !== null;
  });
  return status.primary ?? "";
}

/** @returns what brings it back. */
async function loseData(cluster: TestCluster, member: string): Promise<() => Promise<void>> {
  const { data } = cluster.paths(member);
  const away = `${data}.lost-${process.hrtime.bigint()}`;
  await rename(data, away);
  return () => rename(away, data);
}

/** A commit that may wait for as long as nobody confirms it. */
export function insertOne(client: Client, n: number) {
  let isDone = false;
  const insert: QueryConfig & { query_timeout: number } = {
    text: "INSERT INTO written (n) VALUES ($1)",
    values: [n],
    query_timeout: 120_000,
  };
  const outcome = client
    .query(insert)
    .then(
      () => "done" as const,
      () => "failed" as const,
    )
    .finally(() => (isDone = true));
  return { isDone: () => isDone, end: () => outcome };
}

export async function isSeenToWait(cluster: TestCluster): Promise<void> {
  await eventually("a commit waits for standbys", async () => {
    const waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    const rows: unknown[] = JSON.parse(await cluster.ok(["sql", waiting]));
    return rows.length > 0;
  });
}
