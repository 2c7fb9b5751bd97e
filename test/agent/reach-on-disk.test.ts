// How far a member has come that cannot be asked, on the disk of a machine that failed: a page that
// never got there, though later ones did.
import assert from "node:assert/strict";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { reachOnDisk, type Near } from "../../src/agent/reach-on-disk.ts";
import { lsnFromBigInt } from "../../src/core/lsn.ts";
import { readControlData } from "../../src/postgres/control-data.ts";
import { findWalEnd } from "../../src/postgres/wal-end.ts";
import { segmentFileName } from "../../src/postgres/wal-page.ts";
import { BareServer } from "../support/bare-server.ts";
import { installationFor } from "../support/installations.ts";

const PAGE_BYTES = 8_192;
/** Further back than any reading begins before a hint. */
const BACK_BYTES = 1024 * 1024;

test("a hole in a dead member's WAL ends what it has, but for one that has that WAL itself", async () => {
  await using server = await BareServer.make({ installation: await installationFor(15) });
  await server.start();
  await server.row("CREATE TABLE public.t (filler text)");
  for (let round = 0; round < 4; round += 1)
    await server.row("INSERT INTO public.t SELECT repeat('x', 500) FROM generate_series(1, 2000)");
  await server.kill();
  const { endLsn } = await findWalEnd(server.dataDir);
  const hole = Number(endLsn) - BACK_BYTES - (Number(endLsn) % PAGE_BYTES);
  const { systemId, walSegmentBytes: segmentBytes } = await readControlData(server.dataDir);
  const file = segmentFileName({ timeline: 1, position: hole, segmentBytes });
  await erasePage(join(server.dataDir, "pg_wal", file), hole % segmentBytes);

  const reach = async (near: Near | null) => {
    const disk = { data: server.dataDir, memory: join(server.dataDir, "..", "none") };
    const found = await reachOnDisk(disk, { name: "t-2", systemId, near });
    assert.ok(found !== null);
    return found.lsn;
  };
  const lsn = lsnFromBigInt(endLsn);
  assert.equal(await reach({ lsn, timeline: 1 }), endLsn);
  for (const near of [null, { lsn, timeline: 2 }]) {
    const found = await reach(near);
    assert.ok(found !== null && Number(found) <= hole + PAGE_BYTES, `${found} and ${hole}`);
  }
});

async function erasePage(path: string, position: number): Promise<void> {
  await using file = await open(path, "r+");
  await file.write(Buffer.alloc(PAGE_BYTES), 0, PAGE_BYTES, position);
}
