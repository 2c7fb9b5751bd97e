// A standby that has followed its primary onto another timeline by itself, and has lost it since:
// its pg_wal tells what its server does not any more.
import assert from "node:assert/strict";
import { readdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { before as beforeAll, test } from "node:test";
import { formatLsn, lsnFromBigInt } from "../../src/core/lsn.ts";
import type { Major } from "../../src/core/spec.ts";
import type { Installation } from "../../src/postgres/installation.ts";
import { reachedTimeline } from "../../src/postgres/reached-timeline.ts";
import { dropPrivileges } from "../support/drop-privileges.ts";
import { eventually } from "../support/eventually.ts";
import { installationFor, testMajors } from "../support/installations.ts";
import { RescuePair } from "../support/rescue-pair.ts";

const installations = new Map<Major, Installation>();

beforeAll(async () => {
  for (const major of testMajors()) installations.set(major, await installationFor(major));
  await dropPrivileges();
});

for (const major of testMajors().filter((each) => [10, 12, 15, 18].includes(each)))
  test(`PostgreSQL ${major}: the timeline that a standby has come onto is told by its pg_wal`, async () => {
    const installation = installations.get(major);
    assert.ok(installation);
    await using pair = await RescuePair.streaming({ installation });
    const { primary, standby } = pair;
    const { dataDir } = standby;
    const before = await pair.position();
    assert.equal(await reachedTimeline(dataDir, { lsn: before, known: 1 }), 1);

    await primary.stop();
    await standby.write(
      "pg_wal/00000009.history",
      `1\t${formatLsn(before)}\tno recovery target specified\n`,
    );
    const beyond = lsnFromBigInt(before + 1n);
    const fetched = await reachedTimeline(dataDir, { lsn: beyond, known: 1 });
    assert.equal(fetched, 1, "it has the history and no WAL of it");

    await primary.startInRecovery();
    await primary.promote();
    await pair.writeRows(1);
    await eventually("it follows by itself", async () => {
      const received = await standby.value("SELECT received_tli FROM pg_stat_wal_receiver");
      return Number(received) === 2;
    });
    await pair.caughtUp();
    const after = await pair.position();
    await primary.stop();
    assert.equal(await reachedTimeline(dataDir, { lsn: after, known: 1 }), 2);
    assert.equal(await reachedTimeline(dataDir, { lsn: after, known: 2 }), 2);
    assert.equal(await reachedTimeline(dataDir, { lsn: before, known: 1 }), 1, "before it began");
    const elsewhere = await reachedTimeline(dataDir, { lsn: after, known: 7 });
    assert.equal(elsewhere, null, "it has no WAL of that one");

    // It would remove what it did not fetch itself.
    await standby.stop();
    const newest = join(dataDir, "pg_wal", await newestSegment(dataDir));
    const restored = join(dataDir, "pg_wal", "RECOVERYXLOG");
    await rename(newest, restored);
    const meanwhile = reachedTimeline(dataDir, { lsn: after, known: 1 });
    await delay(200);
    await rename(restored, newest);
    assert.equal(await meanwhile, 2, "a segment that is restored anew is waited for");
    await writeFile(restored, "half");
    const unseen = await reachedTimeline(dataDir, { lsn: after, known: 1 });
    assert.equal(unseen, null, "it is not known while something is being restored");
  });

async function newestSegment(dataDir: string): Promise<string> {
  const names = await readdir(join(dataDir, "pg_wal"));
  return names.filter((name) => /^00000002[0-9A-F]{16}$/.test(name)).toSorted()[0] ?? "";
}
