// SIGKILL of single processes of a running cluster: a postmaster, an agent, an agent in the middle
// of a copy. For crash-processes-*.test.ts.
import assert from "node:assert/strict";
import { readFile, readdir, stat, writeFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { ERRORS } from "../../src/core/errors.ts";
import type { Major } from "../../src/core/spec.ts";
import { markerPath } from "../../src/postgres/base-backup/marker.ts";
import { AppWriter, connectAsLibpq, withClient } from "../support/app-writer.ts";
import { isAlive } from "../support/cluster-processes.ts";
import { eventually } from "../support/eventually.ts";
import { HeldDirectory } from "../support/held-directory.ts";
import { TestCluster, memberOf } from "../support/local-cluster.ts";
import { assertAllRows, memberUrl, writeUrl } from "./cluster-facts.ts";

export function describeCrashedProcesses(major: Major): void {
  describe(`PostgreSQL ${major}, processes killed`, () => {
    let cluster: TestCluster;
    before(async () => {
      cluster = await TestCluster.up(major);
    });
    after(() => cluster[Symbol.asyncDispose]());

    it("brings a killed primary back as the primary while paused, and no acknowledged row is lost", () =>
      killPrimaryServer(cluster));
    it("brings a killed standby back, streaming", () => killStandbyServer(cluster));
    it("ends a backend that outlived its postmaster before it starts anew", () =>
      orphanedBackend(cluster));
    it("says that agent and deadman are gone while the standby goes on, and up adopts that server", () =>
      killAgent(cluster, { member: "t-2", state: "degraded" }));
    it("says that the primary's are gone while writes go on, and up adopts that server", () =>
      killAgent(cluster, { member: "t-1", state: null }));
    it("refuses a second agent of a member", () => secondAgent(cluster));
    it("copies anew after its agent was killed in the middle of a copy", () =>
      killAgentInCopy(cluster));
    it("never starts a data directory that is half made", () => halfMade(cluster));
  });
}

async function killPrimaryServer(cluster: TestCluster): Promise<void> {
  await using writer = await AppWriter.start(await writeUrl(cluster));
  await writer.hasWritten(100);
  const earlier = await cluster.status();
  // Or a standby would take its part.
  await cluster.ok(["pause"]);
  await cluster.kill(postmasterOf(earlier, "t-1"));
  await writer.hasWritten(100);
  const acknowledged = await writer.stop();
  await cluster.until("t-1 leads again, with another postmaster", (now) => {
    return now.primary === "t-1" && memberOf(now, "t-1").pid !== memberOf(earlier, "t-1").pid;
  });
  await cluster.ok(["resume"]);
  const status = await cluster.untilHealthy();
  assert.equal(status.primary, "t-1");
  assert.equal(status.members.filter(({ role }) => role === "primary").length, 1);
  await assertAllRows(cluster, acknowledged);
}

async function killStandbyServer(cluster: TestCluster): Promise<void> {
  const earlier = await cluster.untilHealthy();
  const killed = postmasterOf(earlier, "t-2");
  await cluster.kill(killed);
  const status = await cluster.until(
    "the killed standby streams again",
    (now) => now.state === "healthy" && memberOf(now, "t-2").pid !== killed,
  );
  assert.equal(memberOf(status, "t-1").pid, memberOf(earlier, "t-1").pid, "the primary ran on");
  assert.equal(status.term, earlier.term);
}

/**
 * It can commit and acknowledge for as long as it lives, so no other server may take writes before
 * it is gone.
 */
async function orphanedBackend(cluster: TestCluster): Promise<void> {
  const url = await memberUrl(cluster, "t-1");
  const looping = await connectAsLibpq(url);
  const { rows } = await looping.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
  const backend = rows[0]?.pid ?? 0;
  const lost = looping.query("DO $$ BEGIN LOOP PERFORM 1; END LOOP; END $$").catch(() => "lost");
  const killed = postmasterOf(await cluster.status(), "t-1");
  await cluster.ok(["pause"]);
  await cluster.kill(killed);
  const seen = await eventually("another postmaster serves", async () => {
    const text = await readFile(`${cluster.paths("t-1").data}/postmaster.pid`, "utf8");
    const postmaster = Number(text.split("\n")[0]);
    if (postmaster === killed || !isAlive(postmaster)) return null;
    return { oldBackendLives: isAlive(backend) };
  });
  assert.equal(seen.oldBackendLives, false, "the old backend lived beside the new server");
  assert.equal(await lost, "lost");
  await looping.end().catch(() => {});
  await cluster.until("t-1 leads again", ({ primary }) => primary === "t-1");
  await cluster.ok(["resume"]);
  await cluster.untilHealthy();
  const events = await readFile(cluster.paths("t-1").events, "utf8");
  assert.match(events, /"orphans-killed"/);
}

async function killAgent(
  cluster: TestCluster,
  which: { member: string; state: string | null },
): Promise<void> {
  const { member } = which;
  const earlier = await cluster.untilHealthy();
  const agent = cluster.agentPid(member);
  await using writer = await AppWriter.start(await writeUrl(cluster));
  // Or a standby would take the place of a primary that nobody watches, after its lease.
  await cluster.ok(["pause"]);
  await cluster.killAgentForGood(member);
  await writer.hasWritten(100);
  const status = await cluster.status();
  const gone = memberOf(status, member);
  assert.deepEqual(
    [gone.state, gone.role, gone.pid, gone.replayLagBytes],
    ["unreachable", "none", null, null],
  );
  assert.match(gone.reason ?? "", /agent does not run, but its PostgreSQL does/);
  assert.notEqual(status.state, "healthy");
  if (which.state !== null) assert.equal(status.state, which.state);
  await cluster.ok(["up"]);
  await cluster.ok(["resume"]);
  await writer.hasWritten(20);
  const acknowledged = await writer.stop();
  const later = await cluster.untilHealthy();
  for (const { name, pid } of earlier.members)
    assert.equal(memberOf(later, name).pid, pid, `${name} was not restarted`);
  assert.notEqual(cluster.agentPid(member), agent);
  assert.equal(later.term, earlier.term);
  assert.equal(later.timeline, earlier.timeline);
  await assertAllRows(cluster, acknowledged);
}

async function secondAgent(cluster: TestCluster): Promise<void> {
  const first = cluster.agentPid("t-3");
  const { status, stderr } = await cluster.runAgent("t-3");
  assert.equal(status, ERRORS.MEMBER_IN_USE.exit);
  assert.match(stderr, /^another agent already runs t-3 in .*\n$/);
  assert.equal(cluster.agentPid("t-3"), first);
}

async function killAgentInCopy(cluster: TestCluster): Promise<void> {
  await withClient(await writeUrl(cluster), async (client) => {
    await client.query(
      "CREATE TABLE filler AS SELECT i, repeat('x', 500) FROM generate_series(1, 150000) AS i",
    );
  });
  const adding = cluster.begin(["standby", "add", "t-4"]);
  const { staging, data } = cluster.paths("t-4");
  await eventually("the copy has begun", async () => (await readdir(staging)).length > 5);
  await cluster.killAgentForGood("t-4");
  assert.equal(
    await stat(data).then(
      () => "there",
      () => "absent",
    ),
    "absent",
  );
  adding.child.kill("SIGINT");
  await adding.ended;
  assert.notEqual((await cluster.status()).state, "healthy");
  await cluster.ok(["up"]);
  const status = await cluster.untilHealthy();
  assert.equal(memberOf(status, "t-4").state, "streaming");
  await withClient(await memberUrl(cluster, "t-4"), async (client) => {
    const { rows } = await client.query("SELECT count(*)::int AS rows FROM filler");
    assert.deepEqual(rows, [{ rows: 150_000 }]);
  });
  await cluster.ok(["standby", "remove", "t-4", "--yes"]);
}

/** As a clone leaves it that was killed after the swap of directories. */
async function halfMade(cluster: TestCluster): Promise<void> {
  await cluster.killMember("t-3");
  const { data, events } = cluster.paths("t-3");
  const marker = { operation: "clone", pid: 1, startedAt: new Date().toISOString(), source: null };
  await writeFile(markerPath(data), JSON.stringify(marker));
  await using directory = await HeldDirectory.at(data);
  const copies = await countCopies(events);
  await cluster.ok(["up"]);
  await cluster.untilHealthy();
  assert.equal(await directory.isAt(data), false, "the half-made directory was replaced");
  assert.equal(await countCopies(events), copies + 1);
  assert.equal(
    await stat(markerPath(data)).then(
      () => "there",
      () => "absent",
    ),
    "absent",
  );
}

async function countCopies(events: string): Promise<number> {
  return (await readFile(events, "utf8")).split('"event":"cloned"').length - 1;
}

function postmasterOf(status: Awaited<ReturnType<TestCluster["status"]>>, name: string): number {
  const { pid } = memberOf(status, name);
  assert.ok(pid !== null, `${name} has no postmaster`);
  return pid;
}
