// Rescuing a dead primary's WAL through a standby's spool, on real servers: nothing lost, nothing
// kept from a spool that was not meant, and every case in which it must not be done.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, statSync } from "node:fs";
import { copyFile, mkdir, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { before as beforeAll, test } from "node:test";
import { lsnFromBigInt, type Lsn } from "../../src/core/lsn.ts";
import type { Major } from "../../src/core/spec.ts";
import { readControlData } from "../../src/postgres/control-data.ts";
import type { Installation } from "../../src/postgres/installation.ts";
import { findServerProcesses } from "../../src/postgres/processes.ts";
import { findWalEnd } from "../../src/postgres/wal-end.ts";
import { segmentFileName } from "../../src/postgres/wal-page.ts";
import type { RefusalReason, RescueOutcome } from "../../src/postgres/wal-rescue/outcome.ts";
import { rescueWal } from "../../src/postgres/wal-rescue/rescue-wal.ts";
import { clearSpool } from "../../src/postgres/wal-rescue/spool.ts";
import { BareServer } from "../support/bare-server.ts";
import { dropPrivileges } from "../support/drop-privileges.ts";
import { installationFor, testMajors } from "../support/installations.ts";
import { RescuePair, until, writeUntilDeath } from "../support/rescue-pair.ts";

const installations = new Map<Major, Installation>();
const ANY: Major = testMajors().includes(15) ? 15 : (testMajors()[0] ?? 15);

beforeAll(async () => {
  for (const major of testMajors()) installations.set(major, await installationFor(major));
  await dropPrivileges();
});

function installed(major: Major): { installation: Installation } {
  const installation = installations.get(major);
  assert.ok(installation);
  return { installation };
}

for (const major of testMajors()) {
  test(`PostgreSQL ${major}: rows in one partly filled segment that the standby never got are all there`, async () => {
    await using pair = await RescuePair.streaming(installed(major));
    const rowsBefore = await pair.rowsOnStandby();
    await pair.freezeStream();
    for (let row = 0; row < 300; row++) await pair.writeRows(1);
    await pair.primary.kill();
    assert.equal(await pair.rowsOnStandby(), rowsBefore, "the standby lacks them");
    const { files } = await rescued(pair);
    assert.deepEqual([files.length, pair.leftUpstream], [1, []]);
    assert.equal(await pair.rowsOnStandby(), rowsBefore + 300, "before anything irreversible");
    await staysAfterPromotion(pair, rowsBefore + 300);
  });

  test(`PostgreSQL ${major}: several segments under load, with old records behind their end`, async () => {
    await using pair = await RescuePair.streaming(installed(major));
    const rowsBefore = await pair.rowsOnStandby();
    await pair.freezeStream();
    let bulk = 0;
    for (let round = 0; round < 3; round++) {
      bulk += await pair.writeRows(2_000);
      await pair.primary.value("SELECT pg_switch_wal()");
    }
    const load = writeUntilDeath(pair.primary, 6);
    await until(() => load.acknowledged() >= 2_000);
    await pair.primary.kill();
    await load.ended;
    assert.ok(await hasJunkBehindEnd(pair.primary), "the last segment was used before");
    const { files } = await rescued(pair);
    assert.ok(files.length >= 4, `${files.length} segments`);
    const rows = await pair.rowsOnStandby();
    assert.ok(rows >= rowsBefore + bulk + load.acknowledged(), "no acknowledged row is missing");
    await staysAfterPromotion(pair, rows);
  });

  test(`PostgreSQL ${major}: a standby that had not noticed its primary's new timeline goes on to its end`, async () => {
    await using pair = await RescuePair.make(installed(major));
    // The second fork is in a segment of its own: one name of each timeline is needed.
    for (const _timeline of [2, 3]) {
      await pair.primary.startInRecovery();
      await pair.primary.promote();
      await pair.writeRows(100);
      await pair.primary.value("SELECT pg_switch_wal()");
      await pair.writeRows(100);
      await pair.primary.kill();
    }
    await pair.startStandby();
    const rowsBefore = await pair.rowsOnStandby();
    // Without the second one a server would never find the third.
    const second = join(pair.primary.dataDir, "pg_wal", "00000002.history");
    await rename(second, `${second}.away`);
    await assertRefused(pair, {
      reason: "missing",
      message: /00000002\.history, which is not there/,
    });
    await rename(`${second}.away`, second);
    const outcome = await rescued(pair);
    assert.deepEqual([outcome.timeline, pair.leftUpstream], [3, [[]]]);
    assert.deepEqual(outcome.files.slice(-2), ["00000003.history", "00000002.history"]);
    assert.equal(await pair.rowsOnStandby(), rowsBefore + 400);
    await staysAfterPromotion(pair, rowsBefore + 400);
    const { ancestors } = await historyOf(pair.standby, 4);
    assert.deepEqual(ancestors, ["1", "2", "3"]);
  });
}

/** Fills, lets the standby replay, and compares with what the dead server's disk says. */
async function rescued(pair: RescuePair): Promise<Extract<RescueOutcome, { kind: "filled" }>> {
  const outcome = await pair.rescue();
  if (outcome.kind !== "filled") assert.fail(JSON.stringify(outcome, bigAsText));
  const end = await findWalEnd(pair.primary.dataDir);
  assert.deepEqual([outcome.endLsn, outcome.timeline], [end.endLsn, end.timeline]);
  assert.deepEqual((await readdir(pair.spoolDir)).toSorted(), outcome.files.toSorted());
  await pair.replayed(outcome.endLsn);
  return outcome;
}

/** Promoted by file and signal, the spool emptied, killed whole and started again. */
async function staysAfterPromotion(pair: RescuePair, rows: number): Promise<void> {
  await pair.standby.promote();
  await clearSpool(pair.spoolDir);
  await clearSpool(pair.spoolDir);
  assert.deepEqual(await readdir(pair.spoolDir), []);
  await pair.standby.row("INSERT INTO public.t (filler) VALUES ('after')");
  await pair.standby.kill();
  await pair.standby.start();
  assert.equal(await pair.rowsOnStandby(), rows + 1);
}

async function hasJunkBehindEnd(server: BareServer): Promise<boolean> {
  const { endLsn, timeline } = await findWalEnd(server.dataDir);
  const { walSegmentBytes: segmentBytes } = await readControlData(server.dataDir);
  const name = segmentFileName({ timeline, position: Number(endLsn), segmentBytes });
  const content = await readFile(join(server.dataDir, "pg_wal", name));
  const nextPage = Math.ceil(((Number(endLsn) % segmentBytes) + 1) / 8192) * 8192;
  return content.subarray(nextPage).some((byte) => byte !== 0);
}

async function historyOf(server: BareServer, timeline: number): Promise<{ ancestors: string[] }> {
  const name = `${timeline.toString(16).toUpperCase().padStart(8, "0")}.history`;
  const text = await readFile(join(server.dataDir, "pg_wal", name), "utf8");
  return { ancestors: [...text.matchAll(/^(\d+)\t/gm)].map((match) => match[1] ?? "") };
}

function bigAsText(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? `${value}` : value;
}

test("where nothing is missing, nothing is copied", async () => {
  await using pair = await RescuePair.streaming(installed(ANY));
  await pair.primary.stop();
  const { endLsn, timeline } = await findWalEnd(pair.primary.dataDir);
  assert.equal(await pair.position(), endLsn);
  await leaveStaleFile(pair);
  assert.deepEqual(await pair.rescue(), { kind: "nothing-missing", endLsn, timeline });
  assert.deepEqual(await readdir(pair.spoolDir), []);
});

test("while the postmaster or an orphan of the dead server lives, nothing is given", async () => {
  await using pair = await RescuePair.streaming(installed(ANY));
  await leaveStaleFile(pair);
  await assertRefused(pair, { reason: "alive", message: /may still commit/ });
  const client = await pair.primary.client();
  const looping = client
    .query("DO $$ BEGIN FOR i IN 1..2000000000 LOOP END LOOP; END $$")
    .catch(() => {});
  const postmaster = Number(
    (await readFile(join(pair.primary.dataDir, "postmaster.pid"), "utf8")).split("\n")[0],
  );
  await pair.freezeStream();
  process.kill(postmaster, "SIGKILL");
  await until(() => !existsSync(`/proc/${postmaster}/cwd`));
  assert.ok(findServerProcesses(pair.primary.dataDir).length > 0, "orphans are left");
  await assertRefused(pair, { reason: "alive", message: /may still commit/ });
  await pair.primary.kill();
  await looping;
});

test("another cluster's WAL is not given, nor that of a half-made directory", async () => {
  await using pair = await RescuePair.streaming(installed(ANY));
  await using stranger = await BareServer.make({ ...installed(ANY), ownSystem: true });
  const request = await pair.request();
  assertIsRefused(await rescueWal({ ...request, deadDataDir: stranger.dataDir }), {
    reason: "other-system",
    message: /its system identifier is \d+, the standby's \d+/,
  });
  await pair.primary.kill();
  await writeFile(`${pair.primary.dataDir}.unfinished`, `${JSON.stringify(MARKER)}\n`);
  await assertRefused(pair, { reason: "half-made", message: /is half made/ });
});

const MARKER = { operation: "rewind", pid: 1, startedAt: "2026-01-01T00:00:00Z", source: null };

test("WAL that forked off is not given: not of one timeline's number, and not of different ones", async () => {
  await using pair = await RescuePair.make(installed(ANY));
  // Both are written to from one position on.
  await pair.standby.start();
  await pair.standby.row("INSERT INTO public.t (filler) VALUES ('only here')");
  await pair.standby.kill();
  await pair.primary.start();
  await pair.writeRows(500);
  await pair.primary.kill();
  const forward = await requestBetweenStopped(pair.primary, pair.standby);
  assertIsRefused(await rescueWal(forward), { reason: "different-wal", message: /differ at byte/ });

  await pair.primary.startInRecovery();
  await pair.primary.promote();
  await pair.primary.kill();
  assertIsRefused(await rescueWal(forward), { reason: "different-wal", message: /differ at byte/ });
  const back = await requestBetweenStopped(pair.standby, pair.primary);
  assertIsRefused(await rescueWal(back), {
    reason: "timelines",
    message: /the standby is on timeline 2, and the dead server ended on timeline 1/,
  });
});

test("a standby that is beyond the place where the dead server left their timeline gets nothing", async () => {
  await using pair = await RescuePair.make(installed(ANY));
  await pair.standby.start();
  await pair.standby.row("INSERT INTO public.t (filler) VALUES ('only here')");
  await pair.standby.kill();
  await pair.primary.startInRecovery();
  await pair.primary.promote();
  await pair.writeRows(500);
  await pair.primary.kill();
  assertIsRefused(await rescueWal(await requestBetweenStopped(pair.primary, pair.standby)), {
    reason: "timelines",
    message:
      /the standby has WAL of timeline 1 up to .*, and the dead server left that timeline at/,
  });
});

test("a needed segment that is gone or cut off, or another's content under its name, refuses all", async () => {
  await using pair = await RescuePair.streaming(installed(ANY));
  await pair.primary.value("SELECT pg_create_physical_replication_slot('keep', true)::text");
  await pair.freezeStream();
  for (let round = 0; round < 3; round++) {
    await pair.writeRows(10);
    await pair.primary.value("SELECT pg_switch_wal()");
  }
  // What lies before the checkpoint is no part of the dead server's own recovery.
  await pair.primary.row("CHECKPOINT");
  await pair.writeRows(10);
  await pair.primary.kill();
  const { endLsn } = await findWalEnd(pair.primary.dataDir);
  const segment = (back: number) =>
    join(
      pair.primary.dataDir,
      "pg_wal",
      segmentFileName({
        timeline: 1,
        position: Number(endLsn) - back * 16 * 1024 * 1024,
        segmentBytes: 16 * 1024 * 1024,
      }),
    );
  await rename(segment(1), `${segment(1)}.away`);
  await assertRefused(pair, {
    reason: "missing",
    message: /the standby needs .*, which is not there/,
  });
  await copyFile(segment(2), segment(1));
  await assertRefused(pair, { reason: "missing", message: /which holds other WAL/ });
  await writeFile(segment(1), await readFirst(`${segment(1)}.away`, 5_000_000));
  await assertRefused(pair, { reason: "missing", message: /which has 5000000 bytes instead of/ });
  await rename(`${segment(1)}.away`, segment(1));
  const outcome = await pair.rescue();
  assert.equal(outcome.kind, "filled");
});

test("a stale segment that was left in the spool takes nothing from the standby", async () => {
  await using pair = await RescuePair.streaming(installed(ANY));
  await leaveStaleFile(pair);
  const rowsBefore = await pair.writeRows(2_000).then(() => pair.primary.value(COUNT));
  await pair.caughtUp();
  await pair.freezeStream();
  await pair.writeRows(5);
  await pair.primary.kill();
  await rescued(pair);
  await staysAfterPromotion(pair, Number(rowsBefore) + 5);
});

const COUNT = "SELECT count(*) FROM public.t";

/** As an agent that died would leave it: the present segment as it is now, and half a copy. */
async function leaveStaleFile(pair: RescuePair): Promise<void> {
  await mkdir(pair.spoolDir, { recursive: true });
  const name = String(await walFileOf(pair));
  const path = join(pair.primary.dataDir, "pg_wal", name);
  await copyFile(path, join(pair.spoolDir, name));
  await writeFile(join(pair.spoolDir, `${name}.new`), "half a copy");
}

async function walFileOf(pair: RescuePair): Promise<string> {
  const { walSegmentBytes: segmentBytes } = await readControlData(pair.standby.dataDir);
  const position = Number(await pair.position());
  return segmentFileName({ timeline: 1, position, segmentBytes });
}

test("killed between two files, a rescue leaves whole ones without a gap, and a second one ends it", async () => {
  await using pair = await RescuePair.streaming(installed(ANY));
  const rowsBefore = await pair.rowsOnStandby();
  await pair.freezeStream();
  for (let round = 0; round < 8; round++) {
    await pair.writeRows(10);
    await pair.primary.value("SELECT pg_switch_wal()");
  }
  await pair.writeRows(10);
  await pair.primary.kill();
  const request = await pair.request();
  // So that the standby shows what two rescues leave, not the first alone.
  const child = spawnRescue(request);
  await until(() => spooled(pair).length >= 2 || child.exitCode !== null);
  child.kill("SIGKILL");
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  assert.equal(child.signalCode, "SIGKILL", "it was killed in the middle");
  const left = spooled(pair);
  assert.ok(left.length >= 2 && left.length < 9, `${left.length} files`);
  for (const [index, name] of left.entries()) {
    const start = Number(request.position) + index * 16 * 1024 * 1024;
    const expected = segmentFileName({
      timeline: 1,
      position: start,
      segmentBytes: 16 * 1024 * 1024,
    });
    assert.equal(name, expected);
    assert.equal(statSync(join(pair.spoolDir, name)).size, 16 * 1024 * 1024);
  }
  await rescued(pair);
  assert.equal(await pair.rowsOnStandby(), rowsBefore + 90);
  const again = await pair.rescue();
  assert.equal(again.kind, "nothing-missing", "the standby is at the end");
  await staysAfterPromotion(pair, rowsBefore + 90);
});

function spawnRescue(request: Awaited<ReturnType<RescuePair["request"]>>): ChildProcess {
  const { signal: _signal, position, ...rest } = request;
  const child = join(import.meta.dirname, "wal-rescue-child.ts");
  const asked = JSON.stringify({ ...rest, position: `${position}` });
  return spawn(process.execPath, [child, asked], { stdio: ["ignore", "inherit", "inherit"] });
}

/** Finished files, in order. */
function spooled(pair: RescuePair): string[] {
  if (!existsSync(pair.spoolDir)) return [];
  return readdirSync(pair.spoolDir)
    .filter((name) => !name.endsWith(".new"))
    .toSorted();
}

test("an aborted rescue, and one whose source cannot be read, leave an empty spool", async () => {
  await using pair = await RescuePair.streaming(installed(ANY));
  await pair.freezeStream();
  await pair.writeRows(10);
  await pair.primary.kill();
  const request = await pair.request();
  await leaveStaleFile(pair);
  const signal = AbortSignal.abort();
  await assert.rejects(rescueWal({ ...request, signal }), { name: "AbortError" });
  assert.deepEqual(await readdir(pair.spoolDir), []);
  await rm(join(pair.primary.dataDir, "global", "pg_control"));
  await assert.rejects(rescueWal(request), { code: "DATA_UNREADABLE" });
  assert.deepEqual(await readdir(pair.spoolDir), []);
  const blocked = join(pair.standby.dataDir, "PG_VERSION", "spool");
  await assert.rejects(rescueWal({ ...request, spoolDir: blocked }), {
    code: "DIRECTORY_NOT_WRITABLE",
  });
});

async function requestBetweenStopped(dead: BareServer, standby: BareServer) {
  return {
    deadDataDir: dead.dataDir,
    standbyDataDir: standby.dataDir,
    spoolDir: join(standby.dataDir, "..", "spool"),
    position: await endOf(standby),
    leaveUpstream: async () => {},
    signal: AbortSignal.timeout(60_000),
  };
}

async function endOf(server: BareServer): Promise<Lsn> {
  return lsnFromBigInt((await findWalEnd(server.dataDir)).endLsn);
}

interface Expected {
  readonly reason: RefusalReason;
  readonly message: RegExp;
}

async function assertRefused(pair: RescuePair, expected: Expected): Promise<void> {
  assertIsRefused(await pair.rescue(), expected);
  assert.deepEqual(await readdir(pair.spoolDir), []);
}

function assertIsRefused(outcome: RescueOutcome, expected: Expected): void {
  if (outcome.kind !== "refused") assert.fail(JSON.stringify(outcome, bigAsText));
  assert.equal(outcome.reason, expected.reason, outcome.message);
  assert.match(outcome.message, expected.message);
}

async function readFirst(path: string, bytes: number): Promise<Uint8Array> {
  return (await readFile(path)).subarray(0, bytes);
}
