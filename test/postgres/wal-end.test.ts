// The end of WAL that we read, on every major, against where the server's own recovery ends.
import assert from "node:assert/strict";
import { open, readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Client } from "pg";
import { ZERO_LSN, formatLsn, lsnFromBigInt, parseLsn } from "../../src/core/lsn.ts";
import { readControlData } from "../../src/postgres/control-data.ts";
import { findWalEnd, readTimelineHistory } from "../../src/postgres/wal-end.ts";
import { segmentFileName } from "../../src/postgres/wal-page.ts";
import { BareServer } from "../support/bare-server.ts";
import { installationFor, testMajors } from "../support/installations.ts";

const SETTINGS = {
  wal_log_hints: "on",
  // Small steps, so that segments are recycled often.
  checkpoint_timeout: "1h",
  wal_level: "replica",
  // pg_wal keeps its used segments under new names.
  min_wal_size: "80MB",
};

for (const major of testMajors())
  for (const archiving of ["off", "on"])
    test(`PostgreSQL ${major}, archiving ${archiving}: the end is where recovery ends, after a stop, a kill and promotions`, async () => {
      await using server = await BareServer.make({
        installation: await installationFor(major),
        // Where WAL is archived, a promotion renames the last segment of the timeline that it
        // leaves.
        settings: { ...SETTINGS, archive_mode: archiving, archive_command: "true" },
        ...(major === 10 ? {} : { segmentMb: 1 }),
      });
      await server.start();
      await recycleSegments(server);
      await server.stop();
      const stopped = await readControlData(server.dataDir);
      const cleanEnd = await findWalEnd(server.dataDir);
      assert.equal(cleanEnd.lastRecordLsn, stopped.checkpointLsn);
      assert.equal(cleanEnd.timeline, 1);

      await server.start();
      await killUnderLoad(server);
      assert.ok(await hasSegmentsBeyond(server), "recycled segments lie behind the end");
      await assertSameFromAnyStart(server);
      await assertEndsThroughPromotions(server);
    });

/** Read from the checkpoint, from the newest segments, and from before any hint. */
async function assertSameFromAnyStart(server: BareServer): Promise<void> {
  const whole = await findWalEnd(server.dataDir, { countCommitsFrom: ZERO_LSN });
  const { checkpointLsn } = await readControlData(server.dataDir);
  const span = Number(whole.endLsn - checkpointLsn);
  const hints = Array.from({ length: 60 }, (_, part) =>
    lsnFromBigInt(checkpointLsn + BigInt(Math.round((span * part * 1.1) / 59))),
  );
  for (const near of [undefined, ...hints]) {
    const found = await findWalEnd(server.dataDir, near === undefined ? {} : { near });
    const { commits: _, ...end } = found;
    const { commits: __, ...expected } = whole;
    assert.deepEqual(end, expected, `near ${near}`);
  }
}

test("the end is the same wherever reading begins, also among records of megabytes", async () => {
  await using server = await BareServer.make({
    installation: await installationFor(15),
    settings: { ...SETTINGS, max_wal_size: "1GB" },
    segmentMb: 1,
  });
  await server.start();
  await recycleSegments(server);
  await server.row("CHECKPOINT");
  for (let round = 0; round < 12; round++) {
    await server.value("SELECT pg_logical_emit_message(true, 'test', repeat('m', 2500000))");
    await server.row("INSERT INTO public.t (filler) VALUES ('short')");
    await server.value(
      `SELECT pg_logical_emit_message(true, 'test', repeat('n', ${8_000 + round}))`,
    );
  }
  await server.kill();
  await assertSameFromAnyStart(server);
  const quick = await findWalEnd(server.dataDir);
  const whole = await findWalEnd(server.dataDir, { countCommitsFrom: ZERO_LSN });
  assert.ok(quick.commits.bytes < whole.commits.bytes / 4, "it read the newest segments alone");
});

/** Killed right after each promotion, while pg_control still names an earlier timeline. */
async function assertEndsThroughPromotions(server: BareServer): Promise<void> {
  for (const timeline of [1, 2, 3]) {
    const end = await findWalEnd(server.dataDir);
    assert.equal(end.timeline, timeline);
    await server.startInRecovery();
    // Not the replay LSN: a crashed server takes connections before it has replayed everything.
    await server.promote();
    const { ancestors } = await readTimelineHistory(server.dataDir, timeline + 1);
    assert.equal(formatLsn(end.endLsn), formatLsn(ancestors.at(-1)?.switchPoint ?? ZERO_LSN));
    await killUnderLoad(server);
  }
  const history = await readTimelineHistory(server.dataDir, 4);
  const passed = history.ancestors.map((ancestor) => ancestor.timeline);
  assert.deepEqual(passed, [1, 2, 3]);
}

/** Leaves segments with old records behind the end. */
async function recycleSegments(server: BareServer): Promise<void> {
  await server.row("CREATE TABLE public.t (n bigserial, filler text)");
  for (let round = 0; round < 3; round++) {
    await server.row(
      "INSERT INTO public.t (filler) SELECT repeat('x', 500) FROM generate_series(1, 5000)",
    );
    await server.value("SELECT pg_switch_wal()");
    await server.row("CHECKPOINT");
  }
}

async function killUnderLoad(server: BareServer): Promise<void> {
  const clients = await Promise.all([server.client(), server.client(), server.client()]);
  const count = { acknowledged: 0 };
  const writers = clients.map((client) =>
    (async () => {
      for (;;) {
        await client.query(
          "INSERT INTO public.t (filler) SELECT repeat('y', 900) FROM generate_series(1, 20)",
        );
        count.acknowledged++;
      }
    })().catch(() => {}),
  );
  const deadline = performance.now() + 30_000;
  while (count.acknowledged < 60 && performance.now() < deadline) await delay(5);
  await server.kill();
  await Promise.all(writers);
  assert.ok(count.acknowledged >= 60);
}

async function hasSegmentsBeyond(server: BareServer): Promise<boolean> {
  const [control, end] = [await readControlData(server.dataDir), await findWalEnd(server.dataDir)];
  const last = segmentFileName({
    timeline: end.timeline,
    position: Number(end.endLsn),
    segmentBytes: control.walSegmentBytes,
  });
  const names = await readdir(join(server.dataDir, "pg_wal"));
  return names.some((name) => /^[0-9A-F]{24}$/.test(name) && name > last);
}

test("a history file alone moves nothing: a diverged member that fetched it still ends on its own timeline", async () => {
  await using server = await BareServer.make({ installation: await installationFor(15) });
  await server.start();
  await server.row("CREATE TABLE public.t (n bigserial, filler text)");
  const fork = String(await server.value("SELECT pg_current_wal_flush_lsn()::text"));
  await killUnderLoad(server);
  const before = await findWalEnd(server.dataDir);
  await server.write("pg_wal/00000002.history", `1\t${fork}\tno recovery target specified\n`);
  assert.deepEqual(await findWalEnd(server.dataDir), before);
  assert.ok(before.endLsn > parseLsn(fork));
  await server.write("pg_wal/00000003.history", "nonsense\n");
  await assert.rejects(findWalEnd(server.dataDir), {
    code: "DATA_UNREADABLE",
    message: /00000003\.history.*"nonsense"/,
  });
});

for (const major of testMajors())
  for (const goesOnAs of ["primary", "promoted standby"])
    test(`PostgreSQL ${major}: a record that a crash cut off is passed where the server went on as a ${goesOnAs}`, async () => {
      await using server = await BareServer.make({ installation: await installationFor(major) });
      await server.start();
      const start = await emitLargeRecord(await server.client());
      await server.kill();
      const control = await readFile(join(server.dataDir, "global", "pg_control"));
      // As after a crash of the machine: what followed the record's first page was never written.
      const lost = start - (start % 8192) + 8192;
      await zeroFrom(server, { position: lost, bytes: 400_000 });
      const cut = await findWalEnd(server.dataDir);
      assert.ok(Number(cut.endLsn) <= lost, `${formatLsn(cut.endLsn)} is before ${lost}`);

      if (goesOnAs === "primary") await server.start();
      else {
        await server.startInRecovery();
        await server.promote();
      }
      await server.row("CREATE TABLE public.later (n int)");
      await server.row("CHECKPOINT");
      await server.kill();
      const end = await findWalEnd(server.dataDir);
      assert.equal(end.timeline, goesOnAs === "primary" ? 1 : 2);
      // From the old checkpoint on, the way leads over the cut record.
      await server.write("global/pg_control", control);
      const over = await findWalEnd(server.dataDir);
      assert.ok(over.commits.bytes > end.commits.bytes, "more is read from the older checkpoint");
      assert.deepEqual({ ...over, commits: end.commits }, end);
      assert.ok(end.endLsn > cut.endLsn);
    });

/** One record of many pages. @returns a position in its first page. */
async function emitLargeRecord(client: Client): Promise<number> {
  const { rows } = await client.query<{ before: string; after: string }>(
    `SELECT pg_current_wal_insert_lsn()::text AS before,
            pg_logical_emit_message(false, 'test', repeat('x', 300000))::text AS after`,
  );
  await client.query("SELECT txid_current()");
  return Number(parseLsn(rows[0]?.before ?? ""));
}

async function zeroFrom(
  server: BareServer,
  range: { position: number; bytes: number },
): Promise<void> {
  const { walSegmentBytes } = await readControlData(server.dataDir);
  const name = segmentFileName({ ...range, timeline: 1, segmentBytes: walSegmentBytes });
  const offset = range.position % walSegmentBytes;
  assert.ok(offset + range.bytes <= walSegmentBytes, "the record lies in one segment");
  await using file = await open(join(server.dataDir, "pg_wal", name), "r+");
  await file.write(Buffer.alloc(range.bytes), 0, range.bytes, offset);
}

test("WAL that is missing at the checkpoint, or before what the data needs, is an error and no end", async () => {
  await using server = await BareServer.make({ installation: await installationFor(15) });
  await server.start();
  await server.stop();
  const { checkpointLsn } = await readControlData(server.dataDir);
  await zeroFrom(server, { position: Number(checkpointLsn), bytes: 200 });
  await assert.rejects(findWalEnd(server.dataDir), {
    code: "DATA_UNREADABLE",
    message: /from its checkpoint at 0\/[0-9A-F]+ on timeline 1: nothing is written there/,
  });
  await assert.rejects(readTimelineHistory(server.dataDir, 7), {
    code: "DATA_UNREADABLE",
    details: { code: "ENOENT", path: join(server.dataDir, "pg_wal", "00000007.history") },
  });
});
