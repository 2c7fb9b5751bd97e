// Rescued WAL that does not fit: refused beforehand, and taken back where the disk fills on the
// way.
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Installation } from "../../src/postgres/installation.ts";
import { readControlData } from "../../src/postgres/control-data.ts";
import { runProgram } from "../../src/postgres/run-program.ts";
import { findWalEnd } from "../../src/postgres/wal-end.ts";
import { segmentFileName } from "../../src/postgres/wal-page.ts";
import { dropPrivileges } from "../support/drop-privileges.ts";
import { installationFor, testMajors } from "../support/installations.ts";
import { RescuePair } from "../support/rescue-pair.ts";
import type { SmallDiskGiven, SmallDiskOutcome } from "./wal-rescue-small-disk-child.ts";

let pair: RescuePair;

before(async () => {
  const installation: Installation = await installationFor(testMajors().at(-1) ?? 18);
  await dropPrivileges();
  pair = await RescuePair.make({ installation });
  await pair.primary.start();
  // Four segments: the one of the position, and three more.
  for (let round = 0; round < 3; round++) {
    await pair.writeRows(10);
    await pair.primary.value("SELECT pg_switch_wal()");
  }
  await pair.writeRows(10);
  await pair.primary.kill();
});

after(() => pair?.[Symbol.asyncDispose]());

test("a spool that is too small is refused before a byte is written", async () => {
  const outcome = await rescueOntoSmallDisk({ megabytes: 90, fillAt: null });
  assert.equal(outcome.code, "DISK_FULL", outcome.message);
  assert.match(outcome.message, /cannot copy WAL to .* MiB free, and the copy needs about 96 MiB/);
  assert.deepEqual(outcome.spooled, []);
});

test("a spool that just has room for it is filled", async () => {
  const outcome = await rescueOntoSmallDisk({ megabytes: 98, fillAt: null });
  assert.equal(outcome.message, "the rescue ended as filled");
  assert.equal(outcome.spooled.length, 4);
});

test("a disk that fills up on the way is named, and what was copied is taken back", async () => {
  const { endLsn } = await findWalEnd(pair.standby.dataDir);
  const { walSegmentBytes: segmentBytes } = await readControlData(pair.standby.dataDir);
  const first = segmentFileName({ timeline: 1, position: Number(endLsn), segmentBytes });
  const outcome = await rescueOntoSmallDisk({ megabytes: 98, fillAt: first });
  assert.equal(outcome.isFilled, true, "somebody else took the room");
  assert.equal(outcome.code, "DISK_FULL", outcome.message);
  assert.match(outcome.message, /cannot copy WAL to .*\(tmpfs\) has \d+ MiB free/);
  assert.deepEqual(outcome.spooled, []);
});

/** In a mount namespace of its own, of which nothing is left afterwards. */
async function rescueOntoSmallDisk(of: {
  megabytes: number;
  fillAt: string | null;
}): Promise<SmallDiskOutcome> {
  const disk = join(pair.standby.dataDir, "..", "disk");
  await mkdir(disk, { recursive: true });
  const given: SmallDiskGiven = {
    deadDataDir: pair.primary.dataDir,
    standbyDataDir: pair.standby.dataDir,
    spoolDir: join(disk, "spool"),
    position: `${(await findWalEnd(pair.standby.dataDir)).endLsn}`,
    fillAt: of.fillAt,
  };
  const mount = `mount -t tmpfs -o size=${of.megabytes}m tmpfs "$1" && exec "$2" "$3" "$4"`;
  const child = join(import.meta.dirname, "wal-rescue-small-disk-child.ts");
  const inside = ["sh", "-c", mount, "sh", disk, process.execPath, child, JSON.stringify(given)];
  const { status, stdout, stderr } = await runProgram({
    program: "unshare",
    args: ["--mount", "--map-root-user", ...inside],
    timeoutMs: 60_000,
  });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout) as SmallDiskOutcome;
}
