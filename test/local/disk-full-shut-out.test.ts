// A primary whose disk is full and whose PostgreSQL recovers in its place: it stands and lets
// nobody in, its own agent included, or begins its recovery again and again.
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import type { Entry } from "../../src/agent/journal.ts";
import { AppWriter } from "../support/app-writer.ts";
import { TestCluster, memberOf } from "../support/local-cluster.ts";
import { SmallDisk } from "../support/member-disk.ts";
import { MountNamespace } from "../support/mount-namespace.ts";
import { fillDisk } from "../support/small-disk.ts";
import { addLeader, assertAllRows, writeUrl } from "./cluster-facts.ts";

it("a primary that recovers on a full disk and lets nobody in is succeeded", async () => {
  await using space = await MountNamespace.open();
  await using cluster = await TestCluster.up(15, { standbys: 1, within: space.enter });
  await using disk = await SmallDisk.mount({ space, cluster }, { member: "t-3", megabytes: 250 });
  const { term } = await addLeader(cluster, "t-3");
  await using writer = await AppWriter.start(await writeUrl(cluster));
  await writer.hasWritten(50);
  // One that is under way would end the server for want of room.
  await cluster.ok(["sql", "CHECKPOINT", "--as-superuser"]);
  const ballast = space.seen(join(disk.path, "ballast"));
  // Recovery removes the cache files; without this whoever is first has their room.
  using full = keepFull(ballast);
  await cluster.kill(findWalwriter(cluster));
  const later = await cluster.until("another member leads", (status) => {
    return status.term > term && status.primary !== null;
  });
  assert.notEqual(later.primary, "t-3");
  const events: Entry[] = JSON.parse(await cluster.ok(["events", "--lines", "1000"]));
  const steppedDown = events.findLast(({ event }) => event === "stepped-down");
  // Before 15 a server that cannot end its recovery ends.
  if (steppedDown?.rule !== "step-down-after-crash") {
    assert.equal(steppedDown?.rule, "step-down-when-shut-out");
    assert.match(steppedDown.message, /let nobody in \(its disk is full: 0 MiB .* was ended/);
  }
  await writer.hasWritten(50);
  full[Symbol.dispose]();
  await rm(ballast);
  const status = await cluster.untilHealthy();
  assert.equal(memberOf(status, "t-3").state, "streaming");
  await assertAllRows(cluster, await writer.stop());
});

function findWalwriter(cluster: TestCluster): number {
  const pids = new Set(cluster.serverPids("t-3"));
  const found = cluster
    .processes()
    .find(({ pid, command }) => pids.has(pid) && /wal ?writer/.test(command));
  assert.ok(found !== undefined);
  return found.pid;
}

function keepFull(path: string): Disposable {
  fillDisk(path);
  const timer = setInterval(() => fillDisk(path), 5);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
