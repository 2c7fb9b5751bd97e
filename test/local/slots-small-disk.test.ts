// Up to 12 no setting bounds what a slot holds: the agent gives up that of a member that stays away
// before the primary's disk is full of WAL for it.
import assert from "node:assert/strict";
import { statfs } from "node:fs/promises";
import { it } from "node:test";
import { slotCapBytes } from "../../src/postgres/settings/slot-cap.ts";
import { eventually } from "../support/eventually.ts";
import { TestCluster, memberOf } from "../support/local-cluster.ts";
import { SmallDisk } from "../support/member-disk.ts";
import { MountNamespace } from "../support/mount-namespace.ts";
import { asSuperuser, writeSegments } from "./server-facts.ts";
import type { Entry } from "../../src/agent/journal.ts";

const MEGABYTES = 800;
const SEGMENT_BYTES = 16 * 1024 * 1024;
const BATCH = 10;

it("PostgreSQL 12, a member gone for long loses its slot, not the primary its disk", async () => {
  await using space = await MountNamespace.open();
  await using cluster = await TestCluster.up(12, { standbys: 1, within: space.enter });
  await using disk = await SmallDisk.mount(
    { space, cluster },
    { member: "t-3", megabytes: MEGABYTES },
  );
  await cluster.ok(["standby", "add", "t-3"]);
  await cluster.ok(["param", "set", "max_wal_size=64MB", "min_wal_size=32MB"]);
  await cluster.untilHealthy();
  await cluster.ok(["switchover", "--to", "t-3", "--yes"]);
  const earlier = await cluster.untilHealthy();
  const { pid } = memberOf(earlier, "t-3");
  await cluster.killMember("t-2");

  const diskBytes = MEGABYTES * 1024 * 1024;
  const cap = Math.ceil(slotCapBytes({ diskBytes }) / SEGMENT_BYTES) + 1;
  await writeSegments(cluster, { on: "t-3", count: cap });
  const told = await eventually("its slot is given up, and that is told", async () => {
    const events: Entry[] = JSON.parse(await cluster.ok(["events", "--lines", "1000"]));
    return events.find(({ event }) => event === "slot-given-up");
  });
  assert.equal(told.member, "t-3");
  assert.match(
    told.message,
    /^t-3 keeps no more WAL for t-2: its slot understudy_t_2 held \d+ bytes/,
  );

  await asSuperuser(cluster, "t-3", "CHECKPOINT");
  // As much as the whole disk, and more.
  for (let written = 0; written * SEGMENT_BYTES < diskBytes; written += BATCH) {
    await writeSegments(cluster, { on: "t-3", count: BATCH });
    await asSuperuser(cluster, "t-3", "CHECKPOINT");
  }
  const { bavail, bsize } = await statfs(space.seen(disk.path));
  assert.ok(bavail * bsize > diskBytes / 4, `${bavail * bsize} bytes are free`);
  const later = await cluster.status();
  assert.deepEqual([later.primary, later.term], ["t-3", earlier.term]);
  assert.equal(memberOf(later, "t-3").pid, pid);

  await cluster.ok(["up"]);
  assert.equal(memberOf(await cluster.untilHealthy(), "t-2").state, "streaming");
});
