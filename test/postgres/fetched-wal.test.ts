// What a dead server tells of its WAL, and what a standby that sees nothing else of it makes of
// that: real servers, the primary's directory moved away before anything is rescued.
import assert from "node:assert/strict";
import { open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { before as beforeAll, test } from "node:test";
import type { Major } from "../../src/core/spec.ts";
import { beginFetched, fetchWal } from "../../src/postgres/wal-rescue/fetched-wal.ts";
import { ownSegmentBefore } from "../../src/postgres/wal-rescue/judge.ts";
import { rescueWal } from "../../src/postgres/wal-rescue/rescue-wal.ts";
import { readWalPiece, tellWal, type ToldWal } from "../../src/postgres/wal-rescue/told-wal.ts";
import { readTimelineHistory } from "../../src/postgres/wal-end.ts";
import { readControlData } from "../../src/postgres/control-data.ts";
import type { Installation } from "../../src/postgres/installation.ts";
import { dropPrivileges } from "../support/drop-privileges.ts";
import { installationFor, testMajors } from "../support/installations.ts";
import { RescuePair } from "../support/rescue-pair.ts";

const MAJORS = testMajors().filter((major) => major === 10 || major === 15);
const installations = new Map<Major, Installation>();

beforeAll(async () => {
  for (const major of MAJORS) installations.set(major, await installationFor(major));
  await dropPrivileges();
});

for (const major of MAJORS) {
  test(`PostgreSQL ${major}: a part of a segment is told of in one answer`, async () => {
    await using pair = await pairOf(major);
    const { rows, told, pieces } = await lacking(pair, async () => {
      for (let row = 0; row < 50; row++) await pair.writeRows(1);
      return 50;
    });
    assert.ok(told.wal.length > 0);
    assert.equal(await rescueFrom(pair, told), "filled");
    assert.equal(await pair.rowsOnStandby(), rows);
    assert.equal(pieces.count, 0);
  });

  test(`PostgreSQL ${major}: what lies in more segments comes in pieces`, async () => {
    await using pair = await pairOf(major);
    const { rows, told, pieces } = await lacking(pair, async () => {
      const written = await pair.writeRows(4_000);
      await pair.primary.value("SELECT pg_switch_wal()");
      return written + (await pair.writeRows(25_000));
    });
    assert.equal(await rescueFrom(pair, told, pieces.read), "filled");
    assert.equal(await pair.rowsOnStandby(), rows);
    assert.ok(pieces.count > 2, `${pieces.count} pieces`);
  });

  test(`PostgreSQL ${major}: who has all fetches nothing`, async () => {
    await using pair = await pairOf(major);
    await pair.caughtUp();
    const { told } = await lacking(pair, async () => 0, { isFrozen: false });
    assert.equal(told.wal, "");
    assert.equal(await rescueFrom(pair, told), "nothing-missing");
  });
}

test("WAL that is not the rest of the standby's own is of no use", async () => {
  await using pair = await pairOf(15);
  const { told } = await lacking(pair, () => pair.writeRows(5));
  const position = await pair.position();
  const dataDir = pair.standby.dataDir;
  const { walSegmentBytes: segmentBytes } = await readControlData(dataDir);
  const history = await readTimelineHistory(dataDir, told.timeline);
  const own = await ownSegmentBefore(dataDir, { history, position, segmentBytes });
  {
    // Another leader's of the same number would differ like this.
    await using file = await open(own ?? "", "r+");
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, 100);
    await file.write(Buffer.from([(buffer[0] ?? 0) ^ 1]), 0, 1, 100);
  }
  await assert.rejects(rescueFrom(pair, told), {
    code: "DATA_UNREADABLE",
    message: /not the same/,
  });
  await assert.rejects(rescueFrom(pair, { ...told, digest: null }), { code: "DATA_UNREADABLE" });
});

test("nothing but WAL is read piece by piece", async () => {
  for (const name of ["../global/pg_control", "../../etc/passwd", "00000002.history", ""])
    await assert.rejects(readWalPiece("/tmp", { name, offset: 0, length: 1 }), {
      message: /no segment/,
    });
});

function pairOf(major: Major): Promise<RescuePair> {
  const installation = installations.get(major);
  assert.ok(installation);
  return RescuePair.streaming({ installation });
}

/** The primary is dead, and after what it has told its directory is out of sight. */
async function lacking(
  pair: RescuePair,
  write: () => Promise<number>,
  { isFrozen } = { isFrozen: true },
): Promise<{ rows: number; told: ToldWal; pieces: Pieces }> {
  const before = await pair.rowsOnStandby();
  if (isFrozen) await pair.freezeStream();
  const written = await write();
  await pair.primary.kill();
  assert.equal(await pair.rowsOnStandby(), before, "the standby lacks them");
  const { dataDir } = pair.primary;
  const signal = AbortSignal.timeout(60_000);
  const told = await tellWal(dataDir, { position: await pair.position(), signal });
  const away = `${dataDir}.away`;
  await rename(dataDir, away);
  return {
    rows: before + written,
    told: JSON.parse(JSON.stringify(told)),
    pieces: new Pieces(away),
  };
}

class Pieces {
  readonly #dataDir: string;
  count = 0;

  constructor(dataDir: string) {
    this.#dataDir = dataDir;
  }

  readonly read: Parameters<typeof fetchWal>[1]["read"] = (piece) => {
    this.count += 1;
    return readWalPiece(this.#dataDir, piece);
  };
}

async function rescueFrom(
  pair: RescuePair,
  told: ToldWal,
  read: Pieces["read"] = () => assert.fail("nothing more is to be read"),
): Promise<string> {
  const request = await pair.request();
  const dataDir = join(pair.standby.dataDir, "..", "fetched");
  const into = { dataDir, standbyDataDir: pair.standby.dataDir, position: request.position };
  const fetched = await beginFetched(told, into);
  await fetchWal(told, { ...into, read });
  const rescue = await rescueWal({ ...request, deadDataDir: dataDir, fetched });
  await rm(dataDir, { recursive: true });
  if (rescue.kind === "refused") return rescue.message;
  if (rescue.kind === "filled") {
    assert.ok((await readdir(pair.spoolDir)).length > 0);
    await pair.replayed(rescue.endLsn);
  }
  return rescue.kind;
}
