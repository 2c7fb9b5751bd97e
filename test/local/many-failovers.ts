// Failovers in a row on one cluster that hardly writes: nothing piles up. For
// many-failovers-*.test.ts; `npm run soak -- --failovers 1000` does the same for long.
import assert from "node:assert/strict";
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it, type TestContext } from "node:test";
import { countCopies } from "../../src/core/protocol/wal-copies.ts";
import type { Major } from "../../src/core/spec.ts";
import { factsOf } from "../../src/postgres/majors.ts";
import { AppWriter } from "../support/app-writer.ts";
import { eventually } from "../support/eventually.ts";
import { TestCluster } from "../support/local-cluster.ts";
import { assertAllRows, writeUrl } from "./cluster-facts.ts";
import { eventsOf } from "./diverged-primary.ts";

const FAILOVERS = 12;
/** The first ones fill what is kept in any case. */
const WARM_UP = 3;
/** So many while a member is absent. */
const MISSED = 5;
const MEMBERS = ["t-1", "t-2", "t-3"];
/**
 * Less than a copy for each failover: those of the present segment, and as many that the next
 * checkpoint removes.
 */
const MOST_COPIES = 8;
/** With them, the segments that PostgreSQL keeps in stock for the next ones. */
const MOST_WAL_BYTES = 20 * 16 * 1024 * 1024;
/** A history of each failover's timeline, and what its own catalogs and statistics need. */
const MOST_NEW_FILES = FAILOVERS + 20;

export function describeManyFailovers(major: Major): void {
  describe(`PostgreSQL ${major}, many failovers in a row`, () => {
    let cluster: TestCluster;
    before(async () => {
      cluster = await TestCluster.up(major);
      // Otherwise the copies of eight segments are kept, which a test cannot wait for.
      await cluster.ok(["param", "set", `${factsOf(major).walKeep}=0`]);
    });
    after(() => cluster[Symbol.asyncDispose]());

    it("leave neither WAL nor files nor slots behind, and lose nothing", (test) =>
      nothingPilesUp(cluster, test));
    it("leave an absent member what it needs, which streams on without a copy", () =>
      absentComesBack(cluster));
  });
}

async function nothingPilesUp(cluster: TestCluster, test: TestContext): Promise<void> {
  await using writer = await AppWriter.start(await writeUrl(cluster));
  let earlier = 0;
  for (let done = 1; done <= FAILOVERS; done += 1) {
    await crashOnce(cluster);
    await cluster.untilHealthy();
    if (done === WARM_UP) earlier = await countOtherFiles(cluster);
  }
  const acknowledged = await writer.stop();
  await assertAllRows(cluster, acknowledged);
  for (const member of MEMBERS) test.diagnostic(await settlesDown(cluster, member));
  const grown = (await countOtherFiles(cluster)) - earlier;
  test.diagnostic(`${grown} files more`);
  assert.ok(grown <= 3 * MOST_NEW_FILES, `there are ${grown} files more`);
}

/** More of them than a segment is given, so that those that went on have left it. */
async function absentComesBack(cluster: TestCluster): Promise<void> {
  const { primary } = await cluster.untilHealthy();
  const absent = MEMBERS.find((name) => name !== primary);
  assert.ok(absent !== undefined);
  await cluster.killMember(absent);
  await using writer = await AppWriter.start(await writeUrl(cluster));
  for (let done = 1; done <= MISSED; done += 1) {
    const leader = await crashOnce(cluster);
    await cluster.until("all but the absent one stream", ({ members }) =>
      members.every(({ name, state }) => [leader, absent].includes(name) || state === "streaming"),
    );
  }
  const acknowledged = await writer.stop();
  const earlier = (await eventsOf(cluster, absent)).length;
  await cluster.ok(["up"]);
  await cluster.untilHealthy();
  const events = (await eventsOf(cluster, absent)).slice(earlier);
  assert.ok(!events.includes("cloned") && !events.includes("data-set-aside"), events.join());
  await assertAllRows(cluster, acknowledged);
}

/** @returns who leads now. */
async function crashOnce(cluster: TestCluster): Promise<string> {
  const { primary, term } = await cluster.until("a primary serves", (status) => {
    return status.primary !== null;
  });
  assert.ok(primary !== null);
  await cluster.kill(...cluster.serverPids(primary));
  const later = await cluster.until("another member leads", (status) => {
    return status.term > term && status.primary !== null;
  });
  return later.primary ?? "";
}

/** @returns what it has. */
async function settlesDown(cluster: TestCluster, member: string): Promise<string> {
  const { data, spool, kept } = cluster.paths(member);
  let seen = "";
  await eventually(
    `${member} has no more WAL than it needs`,
    async () => {
      const wal = await readdir(join(data, "pg_wal"));
      const sizes = await Promise.all(wal.map((name) => sizeOf(join(data, "pg_wal", name))));
      const bytes = sizes.reduce((sum, size) => sum + size, 0);
      seen = `${countCopies(wal)} copies, ${bytes} bytes: ${wal.toSorted().join(" ")}`;
      return countCopies(wal) <= MOST_COPIES && bytes <= MOST_WAL_BYTES;
    },
    { seen: () => seen },
  );
  // A member that never led has no spool; and only processes died, so no WAL was ever in the way.
  assert.deepEqual(await readdir(spool).catch(() => []), []);
  assert.deepEqual(await readdir(kept).catch(() => []), []);
  const others = MEMBERS.filter((name) => name !== member);
  const wanted = others.map((name) => `understudy_${name.replace("-", "_")}`).join();
  // On 10 one that is to move on is made anew.
  await eventually(`${member} has the slots of the others and no more`, async () => {
    return (await readdir(join(data, "pg_replslot"))).toSorted().join() === wanted;
  });
  return `${member}: ${seen}`;
}

/** Of all members, but for WAL. */
async function countOtherFiles(cluster: TestCluster): Promise<number> {
  // A directory may be removed while they are read.
  const names = await eventually("its files can be listed", () =>
    readdir(cluster.dir, { recursive: true }),
  );
  return names.filter((name) => !/\/pg_wal\/[0-9A-F]{24}$/.test(name)).length;
}

/** One may be removed at any moment. */
async function sizeOf(path: string): Promise<number> {
  const stats = await lstat(path).catch(() => null);
  return stats?.isFile() === true ? stats.size : 0;
}
