// History files of timelines on which a standby has no WAL, as a promotion leaves them that is
// killed before its first record: with them a real standby never finds its way, without them it
// does.
import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { before as beforeAll, test } from "node:test";
import { formatLsn } from "../../src/core/lsn.ts";
import { parseTimelineHistory, type TimelineHistory } from "../../src/core/timeline.ts";
import type { Major } from "../../src/core/spec.ts";
import type { Installation } from "../../src/postgres/installation.ts";
import { factsOf } from "../../src/postgres/majors.ts";
import {
  headsBeyondItsWal,
  headsElsewhere,
  removeUnreachedHistories,
} from "../../src/postgres/unreached-histories.ts";
import { findWalEnd, readTimelineHistory } from "../../src/postgres/wal-end.ts";
import { dropPrivileges } from "../support/drop-privileges.ts";
import { eventually } from "../support/eventually.ts";
import { installationFor, testMajors } from "../support/installations.ts";
import { RescuePair } from "../support/rescue-pair.ts";

const installations = new Map<Major, Installation>();

beforeAll(async () => {
  for (const major of testMajors()) installations.set(major, await installationFor(major));
  await dropPrivileges();
});

for (const major of testMajors().filter((each) => [10, 15, 18].includes(each)))
  test(`PostgreSQL ${major}: a standby that was killed in its promotion follows another primary once the history is gone`, async () => {
    await using pair = await pairOf(major);
    const { dataDir } = pair.standby;
    await leaveHistory(pair);
    await promoteInLaterSegment(pair);
    const upstream = await readTimelineHistory(pair.primary.dataDir, 2);
    await pair.startStandby();
    await eventually("it asks for WAL that nobody has", async () =>
      /000000020000000000.* has already been removed/.test(await pair.standby.log()),
    );
    assert.equal(await headsElsewhere(dataDir, { timeline: 1, upstream }), true);
    assert.equal(await headsBeyondItsWal(dataDir, 1), true);
    await pair.standby.stop();

    assert.deepEqual(await removeUnreachedHistories(dataDir), [2]);
    assert.deepEqual(await removeUnreachedHistories(dataDir), [], "twice does no harm");
    await pair.startStandby();
    await pair.caughtUp();
    assert.equal(await headsElsewhere(dataDir, { timeline: 1, upstream }), false);
    assert.equal(await headsBeyondItsWal(dataDir, 1), false);
    await pair.standby.stop();
    assert.deepEqual(await removeUnreachedHistories(dataDir), [], "it has WAL of that one now");
    assert((await readdir(join(dataDir, "pg_wal"))).includes("00000002.history"));
  });

test("a server that heads for a timeline which it has not reached writes a history that is not true", async () => {
  const major = testMajors().includes(15) ? 15 : (testMajors()[0] ?? 15);
  await using pair = await pairOf(major);
  const { standby } = pair;
  const { endLsn } = await findWalEnd(standby.dataDir);
  const far = "7F/F000000";
  await standby.write("pg_wal/00000002.history", `1\t${far}\tno recovery target specified\n`);
  await standby.startInRecovery();
  await standby.promote();
  const written = await readTimelineHistory(standby.dataDir, 3);
  assert.deepEqual(
    written.ancestors.map(({ timeline, switchPoint }) => `${timeline} ${formatLsn(switchPoint)}`),
    [`1 ${formatLsn(endLsn)}`, `2 ${formatLsn(endLsn)}`],
    "as it is read: the file itself has the timeline 1 end where it never was",
  );
});

async function pairOf(major: Major): Promise<RescuePair> {
  const installation = installations.get(major);
  assert.ok(installation);
  return RescuePair.make({ installation });
}

/** As a promotion writes it, at the end of what the standby has. */
async function leaveHistory({ standby }: RescuePair): Promise<TimelineHistory> {
  const { endLsn } = await findWalEnd(standby.dataDir);
  const text = `1\t${formatLsn(endLsn)}\tno recovery target specified\n`;
  await standby.write("pg_wal/00000002.history", text);
  return parseTimelineHistory({ timeline: 2, text });
}

/** The primary goes on, and begins a timeline 2 of its own. */
async function promoteInLaterSegment({ primary }: RescuePair): Promise<void> {
  const { walKeep } = factsOf(primary.installation.major);
  const kept = walKeep === "wal_keep_size" ? "1GB" : "64";
  await primary.write("postgresql.auto.conf", `${walKeep} = '${kept}'\n`);
  await primary.start();
  for (let segment = 0; segment < 3; segment++) {
    await primary.row("INSERT INTO public.t (filler) VALUES ('more')");
    await primary.value("SELECT pg_switch_wal()");
  }
  await primary.stop();
  await primary.startInRecovery();
  await primary.promote();
}
