// Failover by hand: when it is refused, when it is done, what it says of the loss, and how the old
// primary comes back. For crash-failover-*.test.ts.
import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Major } from "../../src/core/spec.ts";
import { findPostmaster, untilStandsStill } from "../../src/postgres/processes.ts";
import { AppWriter, compareRows, connectAsLibpq, withClient } from "../support/app-writer.ts";
import { blockSpool } from "../support/blocked-spool.ts";
import { signal } from "../support/cluster-processes.ts";
import { eventually } from "../support/eventually.ts";
import { HeldDirectory } from "../support/held-directory.ts";
import { TestCluster, describe as describeResult, memberOf } from "../support/local-cluster.ts";
import { assertAllRows, hasNoLag, memberUrl, writeUrl } from "./cluster-facts.ts";

interface FailoverOutcome {
  readonly summary: string;
  readonly from: string;
  readonly to: string;
  readonly lossBytes: number | null;
  readonly lossTransactions: number | null;
  readonly lossIsExact: boolean;
  readonly savedBytes: number;
}

export function describeFailover(major: Major): void {
  describe(`PostgreSQL ${major}, failover by hand`, () => {
    let cluster: TestCluster;
    before(async () => {
      cluster = await TestCluster.up(major);
    });
    after(() => cluster[Symbol.asyncDispose]());

    it("is refused while the primary lives", () => refusedWhileAlive(cluster));
    it("is refused while only the primary's agent and deadman are dead", () =>
      refusedWithoutAgent(cluster));
    it("is refused while a backend of the dead primary lives", () => refusedWithOrphan(cluster));
    it("loses nothing where the standbys had everything, and the old primary follows", () =>
      withoutLoss(cluster));
    it("saves what no standby had received from the dead primary's disk, and loses nothing", () =>
      savesWal(cluster));
    it("says how many bytes are lost where that cannot be done, and the old primary comes back without what only it had", () =>
      withLoss(cluster));
  });
}

async function refusedWhileAlive(cluster: TestCluster): Promise<void> {
  const earlier = await cluster.untilHealthy();
  for (const args of [
    ["failover", "--yes"],
    ["failover", "--dry-run"],
  ]) {
    const { status, error } = await cluster.fails(args);
    assert.deepEqual([status, error.code], [4, "FAILOVER_REFUSED"]);
    assert.match(error.message, /t-1 is the primary and alive/);
  }
  assert.equal((await cluster.status()).term, earlier.term);
}

async function refusedWithoutAgent(cluster: TestCluster): Promise<void> {
  // Or a standby would end that server and take its place as soon as the lease is over.
  await cluster.ok(["pause"]);
  await cluster.killAgentForGood("t-1");
  await using writer = await AppWriter.start(await writeUrl(cluster));
  const { status, error } = await cluster.fails(["failover", "--yes"]);
  assert.deepEqual([status, error.code], [4, "FAILOVER_REFUSED"]);
  assert.match(error.message, /PostgreSQL of t-1 still runs/);
  await writer.hasWritten(20);
  const acknowledged = await writer.stop();
  await cluster.ok(["up"]);
  await cluster.ok(["resume"]);
  await cluster.untilHealthy();
  await assertAllRows(cluster, acknowledged);
}

async function refusedWithOrphan(cluster: TestCluster): Promise<void> {
  const url = await memberUrl(cluster, "t-1");
  const looping = await connectAsLibpq(url);
  const lost = looping.query("DO $$ BEGIN LOOP PERFORM 1; END LOOP; END $$").catch(() => "lost");
  await eventually("the backend loops", () =>
    withClient(url, async (client) => {
      const { rows } = await client.query("SELECT 1 FROM pg_stat_activity WHERE query LIKE 'DO %'");
      return rows.length > 0;
    }),
  );
  const { pid } = memberOf(await cluster.status(), "t-1");
  await cluster.ok(["pause"]);
  await cluster.killAgentForGood("t-1");
  await cluster.kill(pid ?? 0);
  assert.notDeepEqual(cluster.serverPids("t-1"), [], "the backend outlives its postmaster");
  const { error } = await cluster.fails(["failover", "--yes"]);
  assert.equal(error.code, "FAILOVER_REFUSED");
  assert.match(error.message, /may take writes/);
  await cluster.ok(["up"]);
  assert.equal(await lost, "lost");
  await looping.end().catch(() => {});
  await cluster.until("t-1 leads", ({ primary }) => primary === "t-1");
  await cluster.ok(["resume"]);
  const status = await cluster.untilHealthy();
  assert.equal(status.primary, "t-1");
}

async function withoutLoss(cluster: TestCluster): Promise<void> {
  await using writer = await AppWriter.start(await writeUrl(cluster));
  await writer.hasWritten(50);
  const acknowledged = await writer.stop();
  const earlier = await cluster.until("the standbys have everything", hasNoLag);
  await cluster.ok(["pause"]);
  const { data } = cluster.paths("t-1");
  await using directory = await HeldDirectory.at(data);
  await cluster.killMember("t-1");
  const dead = await cluster.status();
  assert.equal(dead.state, "no-primary");
  assert.equal(dead.primary, null);
  const outcome = await failOver(cluster);
  assert.deepEqual([outcome.from, outcome.lossBytes, outcome.lossIsExact], ["t-1", 0, true]);
  await cluster.until("the new primary leads", ({ primary }) => primary === outcome.to);
  await cluster.ok(["up"]);
  await cluster.ok(["resume"]);
  const status = await cluster.untilHealthy();
  assert.equal(status.term, earlier.term + 1);
  assert.equal(memberOf(status, "t-1").state, "streaming");
  assert.ok(await directory.isAt(data), "it was not copied anew");
  await assertAllRows(cluster, acknowledged);
}

async function savesWal(cluster: TestCluster): Promise<void> {
  const { primary, term } = await cluster.untilHealthy();
  assert.ok(primary !== null);
  const [to = "", ...others] = ["t-1", "t-2", "t-3"].filter((name) => name !== primary);
  await using writer = await AppWriter.start(await writeUrl(cluster));
  await cluster.ok(["pause"]);
  const release = await cutOff(cluster, [to, ...others]);
  await writer.hasWritten(100);
  await cluster.killMember(primary);
  const acknowledged = await writer.stop();
  await release();
  const plan = await failOver(cluster, "--to", to, "--dry-run");
  assert.deepEqual([plan.lossBytes, plan.lossIsExact], [0, true]);
  assert.match(plan.summary, /bytes of WAL .* with \d+ committed .* are saved from the disk of t-/);
  const outcome = await failOver(cluster, "--to", to);
  assert.deepEqual([outcome.to, outcome.lossBytes, outcome.lossIsExact], [to, 0, true]);
  assert.ok(outcome.savedBytes > 100 * 50, `${outcome.savedBytes} bytes are too few`);
  assert.equal(outcome.savedBytes, plan.savedBytes);
  assert.match(outcome.summary, /nothing is lost: \d+ bytes of WAL were saved from the disk of t-/);
  assert.deepEqual(await missingRows(cluster, { name: to, acknowledged }), []);
  assert.deepEqual(await readdir(cluster.paths(to).spool), [], "the promotion has emptied it");
  await cluster.ok(["up"]);
  await cluster.ok(["resume"]);
  assert.equal((await cluster.untilHealthy()).term, term + 1);
  await assertAllRows(cluster, acknowledged);
}

async function withLoss(cluster: TestCluster): Promise<void> {
  const { primary, term } = await cluster.untilHealthy();
  assert.ok(primary !== null);
  const standbys = ["t-1", "t-2", "t-3"].filter((name) => name !== primary);
  await using writer = await AppWriter.start(await writeUrl(cluster));
  await writer.hasWritten(20);
  const safe = [...writer.acknowledged];
  for (const name of standbys) await haveArrived(cluster, { name, rows: safe });
  await cluster.ok(["pause"]);
  const release = await cutOff(cluster, standbys);
  await writer.hasWritten(100);
  await cluster.killMember(primary);
  const acknowledged = await writer.stop();
  await release();
  const unblock = await Promise.all(
    standbys.map((standby) => blockSpool(cluster, { standby, dead: primary })),
  );
  const plan = await failOver(cluster, "--dry-run");
  assert.equal(plan.lossBytes, 0, "it does not know yet that it cannot be saved");
  const refused = await eventually("a standby answers that can be named", async () => {
    const each = await cluster.fails(["failover", "--yes"]);
    return NOBODY_UP.test(each.error.message) ? null : each;
  });
  assert.equal(refused.error.code, "FAILOVER_REFUSED");
  assert.match(
    refused.error.message,
    /bytes .* are lost, with \d+ committed transactions \(.*\); t-\d is named to lead again$/,
  );
  assert.match(refused.error.hint, /--accept-loss$/);
  assert.equal((await cluster.status()).term, term);
  const outcome = await failOver(cluster, "--accept-loss");
  for (const each of unblock) await each();
  assert.equal(outcome.lossIsExact, true);
  assert.ok((outcome.lossBytes ?? 0) > 100 * 50, `${outcome.lossBytes} bytes are too few`);
  assert.match(outcome.summary, new RegExp(`${outcome.lossBytes} bytes .* are lost`));
  assert.equal(plan.savedBytes, outcome.lossBytes, "the plan said so before");
  const lost = await missingRows(cluster, { name: outcome.to, acknowledged });
  // One row may have arrived before its answer did, and so before the cut.
  assert.ok(lost.length >= 99, `${lost.length} rows are too few`);
  assert.deepEqual(lost, acknowledged.slice(-lost.length), "only the newest rows are lost");
  assert.ok(lost.length <= acknowledged.length - safe.length, "what had arrived is kept");
  // Rows that were committed and not acknowledged before the end count too.
  assert.ok((outcome.lossTransactions ?? 0) >= lost.length, `${outcome.lossTransactions}`);
  await cluster.ok(["up"]);
  await cluster.ok(["resume"]);
  const status = await cluster.untilHealthy();
  assert.equal(status.term, term + 1);
  await assertKept(cluster, primary);
  await cluster.until("the standbys have everything", hasNoLag);
  for (const { name } of status.members)
    assert.deepEqual(await missingRows(cluster, { name, acknowledged }), lost, name);
}

/** What only it had: its WAL where it could be rewound, else its whole directory. */
async function assertKept(cluster: TestCluster, name: string): Promise<void> {
  const { kept, events } = cluster.paths(name);
  const [place, ...others] = await readdir(kept);
  assert.deepEqual(others, []);
  const canRewind = cluster.installation.tools.includes("pg_rewind");
  const held = canRewind ? ["report.json", "wal"] : ["data", "report.json"];
  assert.deepEqual((await readdir(join(kept, place ?? ""))).toSorted(), held);
  const happened = canRewind ? /"rewound"/ : /"data-set-aside".*has no pg_rewind/;
  assert.match(await readFile(events, "utf8"), happened);
}

/**
 * Ends the standbys' walreceivers and lets no other begin, so that the primary acknowledges what
 * nobody gets. Their agents stand still too: each would end a server that does not answer, and
 * start it anew.
 */
export async function cutOff(
  cluster: TestCluster,
  standbys: readonly string[],
): Promise<() => Promise<void>> {
  const agents = standbys.map((name) => cluster.agentPid(name));
  const postmasters = standbys.map((name) => {
    const postmaster = findPostmaster(cluster.paths(name).data);
    assert.ok(postmaster !== null, `PostgreSQL of ${name} runs`);
    return postmaster.pid;
  });
  for (const pids of [agents, postmasters]) {
    for (const pid of pids) signal(pid, "SIGSTOP");
    assert.ok(await untilStandsStill(pids));
  }
  for (const name of standbys) for (const pid of receivers(cluster, name)) signal(pid, "SIGTERM");
  await eventually("the walreceivers end", () =>
    standbys.every((name) => receivers(cluster, name).length === 0),
  );
  return async () => {
    for (const pid of [...postmasters, ...agents]) signal(pid, "SIGCONT");
    await cluster.until("their agents have noticed", ({ members }) =>
      members.every(({ name, role }) => !standbys.includes(name) || role !== "none"),
    );
  };
}

function receivers(cluster: TestCluster, name: string): number[] {
  const own = new Set(cluster.serverPids(name));
  return cluster
    .processes()
    .filter(({ pid, command }) => own.has(pid) && /wal ?receiver/.test(command))
    .map(({ pid }) => pid);
}

/**
 * A standby whose postmaster has just gone on may not answer in time, or recovers once more: a
 * walreceiver that was only beginning dies by the signal.
 */
const NOBODY_UP = /is not a standby that is up|no standby of \S+ is up/;

export async function failOver(cluster: TestCluster, ...words: string[]): Promise<FailoverOutcome> {
  return eventually("a standby answers that can be named", async () => {
    const result = await cluster.run(["failover", "--yes", ...words]);
    if (NOBODY_UP.test(result.stderr)) return null;
    assert.equal(result.status, 0, describeResult(result));
    return JSON.parse(result.stdout);
  });
}

async function haveArrived(
  cluster: TestCluster,
  at: { name: string; rows: readonly number[] },
): Promise<void> {
  const { name, rows: acknowledged } = at;
  await eventually(`${name} has ${acknowledged.length} rows`, async () => {
    return (await missingRows(cluster, { name, acknowledged })).length === 0;
  });
}

async function missingRows(
  cluster: TestCluster,
  of: { name: string; acknowledged: readonly number[] },
): Promise<number[]> {
  const found = await compareRows(await memberUrl(cluster, of.name), of.acknowledged);
  assert.deepEqual(found.doubled, []);
  return found.missing;
}
