// Failover without a person, under a writer, for each way in which a primary may end. For
// failover-automatic-*.test.ts.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import type { ClusterStatus } from "../../src/core/cluster-status.ts";
import type { Major } from "../../src/core/spec.ts";
import { AppWriter, compareRows } from "../support/app-writer.ts";
import { signal } from "../support/cluster-processes.ts";
import { eventually } from "../support/eventually.ts";
import { TestCluster, memberOf } from "../support/local-cluster.ts";
import { cutOff } from "./crash-failover.ts";
import { assertAllRows, memberUrl, writeUrl } from "./cluster-facts.ts";
import { eventsOf } from "./diverged-primary.ts";

export function describeAutomaticFailover(major: Major): void {
  describe(`PostgreSQL ${major}, failover by itself`, () => {
    let cluster: TestCluster;
    before(async () => {
      cluster = await TestCluster.up(major);
    });
    after(() => cluster[Symbol.asyncDispose]());

    it("a standby takes over when PostgreSQL of the primary is killed whole", () =>
      fails(cluster, (primary) => cluster.kill(...cluster.serverPids(primary))));
    it("a standby takes over when only the postmaster is killed, and no backend of it commits", () =>
      fails(cluster, async (primary) => {
        const { pid } = memberOf(await cluster.status(), primary);
        await cluster.kill(pid ?? 0);
      }));
    it("a standby takes over when the primary is killed with its agent", () =>
      fails(cluster, (primary) => cluster.killMember(primary)));
    it("a standby takes over when the postmaster hangs, and nothing that its backends did is lost", () =>
      fails(cluster, async (primary) => {
        const { pid } = memberOf(await cluster.status(), primary);
        signal(pid ?? 0, "SIGSTOP");
      }));
    it("saves what no standby had received from the dead primary's disk", () => savesWal(cluster));
    it("does nothing while it is paused, and takes over when that ends", () =>
      whilePaused(cluster));
  });
}

/** Under a writer: nothing that was acknowledged is lost, and the old primary streams again. */
async function fails(
  cluster: TestCluster,
  kill: (primary: string) => Promise<void>,
): Promise<void> {
  const { primary, term } = await cluster.untilHealthy();
  assert.ok(primary !== null);
  await using writer = await AppWriter.start(await writeUrl(cluster));
  await writer.hasWritten(50);
  await kill(primary);
  const later = await nextPrimary(cluster, term);
  assert.notEqual(later.primary, primary);
  await writer.hasWritten(50);
  const acknowledged = await writer.stop();
  await cluster.ok(["up"]);
  const status = await cluster.untilHealthy();
  assert.equal(memberOf(status, primary).state, "streaming");
  await assertAllRows(cluster, acknowledged);
}

async function savesWal(cluster: TestCluster): Promise<void> {
  const { primary, term } = await cluster.untilHealthy();
  assert.ok(primary !== null);
  const standbys = ["t-1", "t-2", "t-3"].filter((name) => name !== primary);
  await using writer = await AppWriter.start(await writeUrl(cluster));
  const release = await cutOff(cluster, standbys);
  await writer.hasWritten(200);
  await cluster.killMember(primary);
  const acknowledged = await writer.stop();
  await release();
  const { primary: next } = await nextPrimary(cluster, term);
  assert.ok(next !== null);
  const { missing } = await compareRows(await memberUrl(cluster, next), acknowledged);
  assert.deepEqual(missing, []);
  const elected = await lastEvent(cluster, { member: next, event: "elected" });
  assert.equal(elected.details.lostBytes, 0, elected.message);
  assert.ok(elected.details.savedBytes > 200 * 50, `${elected.details.savedBytes} bytes`);
  assert.match(elected.message, /bytes were saved from the disk of .* nothing is lost/);
  await cluster.ok(["up"]);
  await cluster.untilHealthy();
  await assertAllRows(cluster, acknowledged);
}

async function whilePaused(cluster: TestCluster): Promise<void> {
  const { primary, term } = await cluster.untilHealthy();
  assert.ok(primary !== null);
  await cluster.ok(["pause"]);
  assert.equal((await cluster.status()).state, "paused");
  await isTold(cluster, "paused");
  await cluster.killMember(primary);
  // Longer than it takes until a leader that does not renew counts as gone.
  await untilLeaseIsLongOver(cluster);
  const { state, term: still } = await cluster.status();
  assert.deepEqual([state, still], ["no-primary", term]);
  await cluster.ok(["resume"]);
  const later = await nextPrimary(cluster, term);
  assert.notEqual(later.primary, primary);
  await isTold(cluster, "resumed");
  await cluster.ok(["up"]);
  await cluster.untilHealthy();
}

async function isTold(cluster: TestCluster, event: string): Promise<void> {
  await eventually(`an event tells that the cluster was ${event}`, async () => {
    const told = await Promise.all(["t-1", "t-2", "t-3"].map((name) => eventsOf(cluster, name)));
    return told.flat().includes(event);
  });
}

function nextPrimary(cluster: TestCluster, term: number): Promise<ClusterStatus> {
  return cluster.until("another member leads", (status) => {
    return status.term > term && status.primary !== null;
  });
}

async function untilLeaseIsLongOver(cluster: TestCluster): Promise<void> {
  const begun = performance.now();
  await cluster.until("the lease is long over", () => performance.now() - begun > 9_000);
}

interface Elected {
  readonly message: string;
  readonly details: { readonly savedBytes: number; readonly lostBytes: number };
}

async function lastEvent(
  cluster: TestCluster,
  of: { member: string; event: string },
): Promise<Elected> {
  const lines = (await readFile(cluster.paths(of.member).events, "utf8")).trim().split("\n");
  const found = lines.map((line) => JSON.parse(line)).findLast(({ event }) => event === of.event);
  assert.ok(found, `${of.member} has no event ${of.event}`);
  return found;
}
