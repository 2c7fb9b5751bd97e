// `understudy drill` on real clusters: what it measures, when it is refused, and that nothing of it
// stays, however it ends.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { DrillReport } from "../../src/local/drill/report.ts";
import { eventually } from "../support/eventually.ts";
import { TestCluster, errorOf, type RunningCommand } from "../support/local-cluster.ts";

const SCHEMAS =
  "SELECT 'schemas: ' || count(*) AS n FROM pg_namespace WHERE nspname LIKE 'understudy%'";

describe("a drill", () => {
  let cluster: TestCluster;
  before(async () => {
    cluster = await TestCluster.up(15);
  });
  after(() => cluster[Symbol.asyncDispose]());

  it("asks first, and does nothing where nobody can be asked", async () => {
    const { status, error } = await cluster.fails(["drill"]);
    assert.deepEqual([status, error.code], [4, "CONFIRMATION_NEEDED"]);
    assert.match(error.message, /this would rehearse crash on t for real/);
    assert.match(error.hint, /--yes/);
    assert.equal((await cluster.status()).primary, "t-1");
  });

  it("of a crash: a standby takes over, nothing is lost, everybody is back, and no table is left", async () => {
    const { term } = await cluster.untilHealthy();
    const svg = join(cluster.dir, "crash.svg");
    const report = await rehearse(cluster, ["crash", "--svg", svg]);
    const [round] = report.rounds;
    assert.ok(report.passed && round !== undefined);
    assert.deepEqual([round.from, round.lost, round.doubled, round.cameBack], ["t-1", 0, 0, true]);
    assert.ok(round.to !== null && round.to !== "t-1");
    assert.ok(round.writes.acknowledged > 150 && round.reads.answered > 40);
    assert.ok((round.writes.gap?.ms ?? 0) > 10, "the gap was seen");
    assert.ok(round.term.before === term && round.term.after > term);
    assert.ok((round.rejoin?.ms ?? 0) > 0);
    const events = round.events.map(({ event }) => event);
    for (const event of ["fault", "elected", "promoted", "streams-again"])
      assert.ok(events.includes(event), `${event} is not in ${events.join(", ")}`);
    assert.match(await readFile(svg, "utf8"), /^<svg [^]*acknowledged by t-1[^]*<\/svg>\n$/);
    await assertTidy(cluster);
  });

  it("of a switchover, twice: both ways, and each round is told", async () => {
    const report = await rehearse(cluster, ["switchover", "--rounds", "2"]);
    assert.ok(report.passed);
    assert.equal(report.rounds.length, 2);
    const [one, two] = report.rounds;
    assert.equal(two?.from, one?.to);
    assert.equal(report.summary.lost, 0);
    assert.ok((report.summary.writeGapMs?.min ?? 0) <= (report.summary.writeGapMs?.max ?? 0));
    await assertTidy(cluster);
  });

  it("of a member's death: its agent comes back and it streams again", async () => {
    const report = await rehearse(cluster, ["member-death"]);
    const [round] = report.rounds;
    assert.ok(report.passed && round !== undefined);
    assert.equal(round.rejoin?.after, "its agent's return");
    assert.ok(cluster.findAgent(round.from) !== null);
    await assertTidy(cluster);
  });

  it("of a store outage: nobody is demoted, and writes go on", async () => {
    const { term, primary } = await cluster.untilHealthy();
    const report = await rehearse(cluster, ["store-outage", "--for", "7s"]);
    const [round] = report.rounds;
    assert.ok(report.passed && round !== undefined);
    assert.deepEqual([round.from, round.to, round.rejoin], [primary, primary, null]);
    assert.deepEqual(round.term, { before: term, after: term });
    await assertTidy(cluster);
  });

  it("that is interrupted lets go what it froze, removes its table and says so", async () => {
    const { primary } = await cluster.untilHealthy();
    const running = await untilFrozen(cluster, primary ?? "");
    running.child.kill("SIGINT");
    const result = await running.ended;
    assert.equal(result.status, 130);
    assert.equal(errorOf(result).code, "INTERRUPTED");
    await eventually("nothing is frozen", () => frozenOf(cluster).length === 0);
    await assertTidy(cluster);
  });

  it("that is killed lets go what it froze as well, and --clean removes the rest", async () => {
    const { primary } = await cluster.untilHealthy();
    const running = await untilFrozen(cluster, primary ?? "");
    running.child.kill("SIGKILL");
    await running.ended;
    await eventually("nothing is frozen", () => frozenOf(cluster).length === 0);
    await cluster.untilHealthy();
    assert.match(await cluster.ok(["sql", SCHEMAS]), /schemas: 1/);
    assert.match(await cluster.ok(["drill", "--clean"]), /the schema understudy_drill was dropped/);
    assert.match(await cluster.ok(["drill", "--clean"]), /no drill has left anything/);
    await assertTidy(cluster);
  });

  it("leaves a schema alone that somebody else calls so", async () => {
    await cluster.untilHealthy();
    await cluster.ok(["sql", "CREATE SCHEMA understudy_drill"]);
    const { error } = await cluster.fails(["drill", "--yes"]);
    assert.equal(error.code, "REFUSED");
    assert.match(error.message, /a schema understudy_drill that no drill made/);
    await cluster.ok(["sql", "DROP SCHEMA understudy_drill"]);
  });

  it("is refused while the cluster is paused, or not whole, with the reason", async () => {
    await cluster.untilHealthy();
    await cluster.ok(["pause"]);
    const paused = await cluster.fails(["drill", "--yes"]);
    assert.deepEqual([paused.status, paused.error.code], [4, "REFUSED"]);
    assert.match(paused.error.message, /it is paused.*nothing was changed/);
    await cluster.ok(["resume"]);
    const { primary, members } = await cluster.untilHealthy();
    const standby = members.find(({ name }) => name !== primary)?.name ?? "";
    await cluster.killMember(standby);
    const hurt = await cluster.fails(["drill", "--yes"]);
    assert.equal(hurt.error.code, "REFUSED");
    assert.match(hurt.error.message, new RegExp(`${standby} is unreachable`));
    await cluster.ok(["up"]);
    await cluster.untilHealthy();
  });
});

it("a drill is refused on a cluster without a standby, and on one that is down", async () => {
  await using cluster = await TestCluster.up(15, { standbys: 0 });
  const alone = await cluster.fails(["drill", "--yes"]);
  assert.deepEqual([alone.status, alone.error.code], [4, "REFUSED"]);
  assert.match(alone.error.message, /no standby that could take over/);
  await cluster.ok(["down"]);
  assert.equal((await cluster.fails(["drill", "--yes"])).error.code, "CLUSTER_NOT_RUNNING");
});

async function rehearse(cluster: TestCluster, args: readonly string[]): Promise<DrillReport> {
  await cluster.untilHealthy();
  return JSON.parse(await cluster.ok(["drill", ...args, "--yes"]));
}

async function assertTidy(cluster: TestCluster): Promise<void> {
  await cluster.untilHealthy();
  assert.match(await cluster.ok(["sql", SCHEMAS]), /schemas: 0/);
}

async function untilFrozen(cluster: TestCluster, member: string): Promise<RunningCommand> {
  const running = cluster.begin(["drill", "freeze", "--for", "10m", "--yes"]);
  await eventually(`${member} stands still`, () => {
    const frozen = new Set(frozenOf(cluster));
    const servers = cluster.serverPids(member);
    return servers.length > 3 && servers.every((pid) => frozen.has(pid));
  });
  return running;
}

function frozenOf(cluster: TestCluster): number[] {
  return cluster.processes().flatMap(({ pid }) => (stateOf(pid) === "T" ? [pid] : []));
}

function stateOf(pid: number): string | undefined {
  try {
    return /\) (\w)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1];
  } catch {
    return undefined; // it has just ended
  }
}
