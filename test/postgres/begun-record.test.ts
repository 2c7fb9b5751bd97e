// A record that was begun at the end of a segment, on every major: what a standby does that finds
// one where its primary has left the timeline.
import assert from "node:assert/strict";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { parseLsn, type Lsn } from "../../src/core/lsn.ts";
import type { Major } from "../../src/core/spec.ts";
import { dropBegunRecord } from "../../src/postgres/begun-record.ts";
import { findWalEnd, readTimelineHistory } from "../../src/postgres/wal-end.ts";
import { segmentFileName } from "../../src/postgres/wal-page.ts";
import { BareServer } from "../support/bare-server.ts";
import { eventually } from "../support/eventually.ts";
import { installationFor, testMajors } from "../support/installations.ts";

const SETTINGS = {
  wal_level: "replica",
  checkpoint_timeout: "1h",
  wal_retrieve_retry_interval: "100ms",
};

describe("a record that was begun at the end of a segment", () => {
  for (const major of testMajors())
    test(`PostgreSQL ${major}: without it a standby streams from where the primary left the timeline`, async () => {
      await using dead = await leftInTheMiddle(major);
      const end = await findWalEnd(dead.dataDir);
      assert.ok(end.begunLsn !== null, end.reason);
      assert.equal(end.begunLsn, end.endLsn);

      // Of the same data, as another member had it: it never got that record.
      await using next = await BareServer.copyOf(dead);
      assert.equal(await dropBegunRecord(next.dataDir), end.begunLsn);
      const dropped = await findWalEnd(next.dataDir);
      assert.deepEqual(
        { ...dropped, reason: end.reason, begunLsn: end.begunLsn },
        end,
        "nothing else is gone",
      );
      assert.equal(await dropBegunRecord(next.dataDir), null, "a second time there is none");
      await next.startInRecovery();
      await next.promote();
      const { ancestors } = await readTimelineHistory(next.dataDir, 2);
      assert.equal(ancestors.at(-1)?.switchPoint, end.endLsn, "it led from where that began");
      await next.row("INSERT INTO public.t VALUES ('of the second timeline')");

      assert.equal(await dropBegunRecord(dead.dataDir), end.begunLsn);
      await followOnStart(dead, next);
      await eventually("the standby has what the primary wrote", async () => {
        const rows = await dead.value("SELECT count(*) FROM public.t WHERE filler LIKE 'of the%'");
        return rows === "1";
      });
    });

  test("of a server that was only killed nothing is dropped", async () => {
    await using server = await BareServer.make({
      installation: await installationFor(15),
      settings: SETTINGS,
      segmentMb: 1,
    });
    await server.start();
    await server.row("CREATE TABLE public.t (filler text)");
    await server.kill();
    const end = await findWalEnd(server.dataDir);
    assert.equal(await dropBegunRecord(server.dataDir), null);
    assert.deepEqual(await findWalEnd(server.dataDir), end);
  });
});

/** Killed, and the segment in which its last record went on never reached the disk. */
async function leftInTheMiddle(major: Major): Promise<BareServer> {
  const server = await BareServer.make({
    installation: await installationFor(major),
    settings: SETTINGS,
    ...(major === 10 ? {} : { segmentMb: 1 }),
  });
  await server.start();
  await server.row("CREATE TABLE public.t (filler text)");
  await server.row("CHECKPOINT");
  const segmentBytes = (major === 10 ? 16 : 1) << 20;
  const before = await position(server);
  const left = segmentBytes - (Number(before) % segmentBytes);
  // Longer than what is left of the segment by far, and than a page.
  await server.value(
    `SELECT pg_logical_emit_message(true, 'test', repeat('m', ${left + 100_000}))`,
  );
  await server.kill();
  const { timeline } = await findWalEnd(server.dataDir);
  const next = Number(before) + left;
  const name = segmentFileName({ timeline, position: next, segmentBytes });
  await rm(join(server.dataDir, "pg_wal", name));
  return server;
}

async function position(server: BareServer): Promise<Lsn> {
  const text = await server.value("SELECT pg_current_wal_insert_lsn()::text");
  return parseLsn(String(text));
}

async function followOnStart(standby: BareServer, primary: BareServer): Promise<void> {
  const conninfo = `primary_conninfo = 'host=127.0.0.1 port=${primary.port} user=postgres'\n`;
  if (standby.installation.major < 12)
    await standby.write(
      "recovery.conf",
      `standby_mode = 'on'\nrecovery_target_timeline = 'latest'\n${conninfo}`,
    );
  else {
    const own = await readFile(join(standby.dataDir, "postgresql.auto.conf"), "utf8");
    await standby.write("postgresql.auto.conf", `${own}${conninfo}`);
    await standby.write("standby.signal", "");
  }
  await standby.start();
}
