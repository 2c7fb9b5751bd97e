// A cluster whose agents and deadmen are killed or stopped: what heals by itself, what is fenced,
// and how soon.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { readJournal, type Entry } from "../../src/agent/journal.ts";
import { SMALL_PROCESS_MALLOC } from "../../src/cli/entry.ts";
import { changeClusterRecord, openCluster } from "../../src/local/cluster.ts";
import { AppWriter } from "../support/app-writer.ts";
import { isAlive, signal } from "../support/cluster-processes.ts";
import { eventually } from "../support/eventually.ts";
import { TestCluster, memberOf } from "../support/local-cluster.ts";
import { assertAllRows, writeUrl } from "./cluster-facts.ts";

/**
 * Longer than a cluster on one machine has it: a machine that has much else to do needs seconds to
 * start an agent, and one that comes too late is rightly succeeded.
 */
const TTL_MS = 12_000;

describe("a member's deadman", () => {
  let cluster: TestCluster;
  before(async () => {
    cluster = await TestCluster.up(15);
    const opened = await openCluster({ name: cluster.name, dir: cluster.dir });
    await changeClusterRecord(opened, (record) => ({ ...record, ttlMs: TTL_MS }));
  });
  after(() => cluster[Symbol.asyncDispose]());

  it("watches beside each agent, and is replaced at once when it is killed", async () => {
    for (const name of ["t-1", "t-2", "t-3"])
      await eventually(`${name} has one`, () => cluster.deadmanPids(name).length === 1);
    const earlier = await cluster.untilHealthy();
    const killed = cluster.deadmanPids("t-1");
    await cluster.kill(...killed);
    await eventually("another one watches", () => {
      const [now, ...more] = cluster.deadmanPids("t-1");
      return now !== undefined && more.length === 0 && !killed.includes(now);
    });
    const later = await cluster.untilHealthy();
    assert.equal(memberOf(later, "t-1").pid, memberOf(earlier, "t-1").pid);
  });

  it("has one heap of the C library, as its agent has; PostgreSQL is told nothing of that", async () => {
    await cluster.untilHealthy();
    const [postmaster = 0] = cluster.serverPids("t-1");
    assert(!isToldMalloc(postmaster));
    for (const pid of [cluster.agentPid("t-1"), ...cluster.deadmanPids("t-1")])
      assert(isToldMalloc(pid), `${pid} is not told`);
  });

  for (const member of ["t-1", "t-2"])
    it(`starts the killed agent of ${member} again, and nothing is interrupted`, async () => {
      const earlier = await cluster.untilHealthy();
      const agent = cluster.agentPid(member);
      const [deadman = 0] = cluster.deadmanPids(member);
      await using writer = await AppWriter.start(await writeUrl(cluster));
      await writer.hasWritten(20);
      await cluster.kill(agent);
      await eventually("another agent runs, with a deadman of its own", () => {
        const [now, ...more] = cluster.deadmanPids(member);
        const isReplaced = now !== undefined && now !== deadman && more.length === 0;
        return isReplaced && cluster.findAgent(member) !== null;
      });
      assert(isToldMalloc(cluster.agentPid(member)));
      const later = await cluster.untilHealthy();
      // Beyond the moment at which the old deadline passed.
      await writer.hasWritten(20);
      await eventually(
        "the lease of the dead agent is long over",
        () =>
          cluster.agentPid(member) !== agent &&
          wasStartedAgain(cluster, { member, sinceMs: TTL_MS * 1.2 }),
      );
      const acknowledged = await writer.stop();
      assert.notEqual(cluster.agentPid(member), agent);
      const happened = await cluster.agentsLastWords();
      for (const { name, pid } of earlier.members)
        assert.equal(memberOf(later, name).pid, pid, `${name} was restarted: ${happened}`);
      assert.deepEqual([later.term, later.timeline], [earlier.term, earlier.timeline]);
      assert.equal((await eventsOf(cluster, member, "server-killed")).length, 0);
      await assertAllRows(cluster, acknowledged);
    });

  it("kills PostgreSQL when the primary's agent hangs, and no acknowledged row is lost", async () => {
    const { primary } = await cluster.untilHealthy();
    assert.ok(primary !== null);
    await using writer = await AppWriter.start(await writeUrl(cluster));
    await writer.hasWritten(50);
    const agent = cluster.agentPid(primary);
    const stoppedAt = performance.now();
    signal(agent, "SIGSTOP");
    await eventually(
      "no process of its server lives",
      () => cluster.serverPids(primary).length === 0,
    );
    const ms = performance.now() - stoppedAt;
    // To the millisecond it is looked at in test/agent/deadman.test.ts; here, that it is this lease
    // and no other that ends it, on a machine that has much else to do.
    assert.ok(ms >= TTL_MS * 0.5, `killed after ${ms} ms, while the lease held`);
    assert.ok(ms <= TTL_MS * 2, `killed after ${ms} ms`);
    const [event] = await eventually("it says so", async () => {
      const found = await eventsOf(cluster, primary, "server-killed");
      return found.length > 0 && found;
    });
    assert.match(event?.message ?? "", /because its agent \(process \d+\) is stopped/);
    assert.match(
      await cluster.ok(["events"]),
      new RegExp(`deadman of ${primary} killed its PostgreSQL`),
    );
    const status = await cluster.status();
    assert.equal(memberOf(status, primary).state, "unreachable");
    signal(agent, "SIGCONT");
    await cluster.untilHealthy();
    await writer.hasWritten(20);
    const acknowledged = await writer.stop();
    await assertAllRows(cluster, acknowledged);
  });

  it("goes with its agent: down leaves no process, also where an agent has just died", async () => {
    await cluster.untilHealthy();
    await cluster.kill(cluster.agentPid("t-2"));
    await cluster.ok(["down"]);
    assert.deepEqual(cluster.processes(), []);
    await cluster.ok(["up"]);
    await cluster.untilHealthy();
  });

  it("is taken over by up, which may come while it starts a dead agent again", async () => {
    const earlier = await cluster.untilHealthy();
    const name = earlier.primary ?? "";
    const agent = cluster.agentPid(name);
    await cluster.kill(agent);
    await cluster.ok(["up"]);
    const later = await cluster.untilHealthy();
    assert.equal(memberOf(later, name).pid, memberOf(earlier, name).pid);
    assert.equal(isAlive(agent), false);
    await eventually("one deadman watches", () => cluster.deadmanPids(name).length === 1);
  });
});

async function eventsOf(cluster: TestCluster, member: string, name: string): Promise<Entry[]> {
  const all = await readJournal(cluster.paths(member).events);
  return all.filter(({ event }) => event === name);
}

async function wasStartedAgain(
  cluster: TestCluster,
  of: { member: string; sinceMs: number },
): Promise<boolean> {
  const last = (await eventsOf(cluster, of.member, "agent-restarted")).at(-1);
  return last !== undefined && Date.now() - Date.parse(last.at) > of.sinceMs;
}

/** glibc has ended each of what it is told by a zero, where the kernel shows it. */
function isToldMalloc(pid: number): boolean {
  const environment = readFileSync(`/proc/${pid}/environ`, "utf8").replaceAll("\0", ":");
  return environment.includes(`GLIBC_TUNABLES=${SMALL_PROCESS_MALLOC.GLIBC_TUNABLES}:`);
}
