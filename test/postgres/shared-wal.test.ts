// Telling two timelines of one number apart by their WAL, on real servers.
import assert from "node:assert/strict";
import { copyFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { parseLsn, type Lsn } from "../../src/core/lsn.ts";
import { haveSameWal } from "../../src/postgres/shared-wal.ts";
import { findWalEnd, readTimelineHistory } from "../../src/postgres/wal-end.ts";
import { segmentFileName } from "../../src/postgres/wal-page.ts";
import { BareServer } from "../support/bare-server.ts";
import { installationFor, testMajors } from "../support/installations.ts";

const SEGMENT_BYTES = 16 * 1024 * 1024;

for (const major of testMajors())
  test(`PostgreSQL ${major}: two timelines of one number and one beginning have different WAL`, async () => {
    await using one = await BareServer.make({ installation: await installationFor(major) });
    await one.start();
    await one.row("CREATE TABLE public.t (n int)");
    await one.stop();
    await using other = await BareServer.copyOf(one);
    for (const server of [one, other]) {
      await server.startInRecovery();
      await server.promote();
    }
    await one.row("INSERT INTO public.t VALUES (1)");
    await other.row("INSERT INTO public.t VALUES (2)");
    const to = await flushedBy(one);
    // What a server writes of its own accord may have come to one of them only.
    while ((await flushedBy(other)) < to) await other.row("INSERT INTO public.t VALUES (2)");
    for (const server of [one, other]) await server.stop();

    const range = { timeline: 2, from: await forkOf(one), to, segmentBytes: SEGMENT_BYTES };
    assert.equal(await forkOf(other), range.from, "nothing but the WAL tells them apart");
    assert.ok((await findWalEnd(other.dataDir)).endLsn >= to);
    const dirs = { one: one.dataDir, other: other.dataDir };
    assert.equal(await haveSameWal(dirs, range), false);
    assert.equal(await haveSameWal({ one: one.dataDir, other: one.dataDir }, range), true);

    // Up to where the two parted they are the same; and what is gone proves nothing.
    assert.equal(await haveSameWal(dirs, { ...range, to: range.from }), true);
    const name = segmentFileName({ ...range, position: Number(to) });
    await copyFile(join(one.dataDir, "pg_wal", name), join(other.dataDir, "pg_wal", name));
    assert.equal(await haveSameWal(dirs, range), true);
    await rm(join(other.dataDir, "pg_wal", name));
    assert.equal(await haveSameWal(dirs, range), false);
  });

async function flushedBy(server: BareServer): Promise<Lsn> {
  return parseLsn(String(await server.value("SELECT pg_current_wal_flush_lsn()::text")));
}

async function forkOf(server: BareServer): Promise<Lsn> {
  const { ancestors } = await readTimelineHistory(server.dataDir, 2);
  const { switchPoint } = ancestors.at(-1) ?? {};
  assert.ok(switchPoint !== undefined);
  return switchPoint;
}
