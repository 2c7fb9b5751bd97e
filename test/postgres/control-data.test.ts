// Every field of pg_control that we read, on every major, against what the server itself and
// pg_controldata say.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { formatLsn } from "../../src/core/lsn.ts";
import { type ControlData, readControlData } from "../../src/postgres/control-data.ts";
import { runProgram } from "../../src/postgres/run-program.ts";
import { BareServer } from "../support/bare-server.ts";
import { installationFor, testMajors } from "../support/installations.ts";

/** All different from the defaults and from each other, so that no field can pass for another. */
const SETTINGS = {
  wal_level: "logical",
  wal_log_hints: "on",
  max_connections: "57",
  max_worker_processes: "9",
  max_wal_senders: "7",
  max_prepared_transactions: "3",
  max_locks_per_transaction: "77",
};

for (const major of testMajors())
  test(`PostgreSQL ${major}: every field agrees with the server`, async () => {
    await using server = await BareServer.make({
      installation: await installationFor(major),
      settings: SETTINGS,
      ...(major === 10 ? {} : { segmentMb: 4 }),
    });
    await server.start();
    await server.row("CREATE TABLE public.t AS SELECT generate_series(1, 1000)");
    await server.row("CHECKPOINT");
    const running = await readControlData(server.dataDir);
    assert.equal(running.state, "in production");
    await assertAgrees(running, server);
    assert.deepEqual(settingsOf(running), {
      ...SETTINGS,
      max_wal_senders: major < 12 ? "null" : SETTINGS.max_wal_senders,
    });
    assert.equal(running.walSegmentBytes, (major === 10 ? 16 : 4) * 1024 * 1024);

    await server.stop();
    const stopped = await readControlData(server.dataDir);
    assert.equal(stopped.state, "shut down");
    assert.ok(stopped.checkpointLsn > running.checkpointLsn);
    if (server.installation.tools.includes("pg_controldata"))
      await assertControldataAgrees(stopped, server);

    await server.startInRecovery();
    await server.row("CHECKPOINT");
    const standby = await readControlData(server.dataDir);
    assert.equal(standby.state, "in archive recovery");
    await assertAgrees(standby, server);
    assert.ok(standby.minRecoveryLsn > 0n);
    await server.promote();
    await server.row("CHECKPOINT");
    const promoted = await readControlData(server.dataDir);
    await assertAgrees(promoted, server);
    assert.deepEqual([promoted.timeline, promoted.previousTimeline], [2, 2]);
    assert.equal(promoted.systemId, running.systemId);
  });

async function assertAgrees(control: ControlData, server: BareServer): Promise<void> {
  const rows = await Promise.all(
    ["system", "checkpoint", "recovery", "init"].map((part) =>
      server.row(`SELECT * FROM pg_control_${part}()`),
    ),
  );
  const said: Record<string, unknown> = Object.assign({}, ...rows);
  const ours: Record<string, unknown> = {
    pg_control_version: control.controlVersion,
    catalog_version_no: control.catalogVersion,
    system_identifier: control.systemId,
    checkpoint_lsn: formatLsn(control.checkpointLsn),
    redo_lsn: formatLsn(control.redoLsn),
    timeline_id: control.timeline,
    prev_timeline_id: control.previousTimeline,
    min_recovery_end_lsn: formatLsn(control.minRecoveryLsn),
    min_recovery_end_timeline: control.minRecoveryTimeline,
    backup_start_lsn: formatLsn(control.backupStartLsn),
    backup_end_lsn: formatLsn(control.backupEndLsn),
    database_block_size: control.blockBytes,
    wal_block_size: control.walBlockBytes,
    bytes_per_wal_segment: control.walSegmentBytes,
    data_page_checksum_version: control.checksumVersion,
  };
  for (const [name, value] of Object.entries(ours)) assert.equal(said[name], value, name);
}

function settingsOf(control: ControlData): Record<string, string> {
  return {
    wal_level: control.walLevel,
    wal_log_hints: control.walLogHints ? "on" : "off",
    max_connections: String(control.maxConnections),
    max_worker_processes: String(control.maxWorkerProcesses),
    max_wal_senders: String(control.maxWalSenders),
    max_prepared_transactions: String(control.maxPreparedTransactions),
    max_locks_per_transaction: String(control.maxLocksPerTransaction),
  };
}

async function assertControldataAgrees(control: ControlData, server: BareServer): Promise<void> {
  const { stdout } = await runProgram({
    program: join(server.installation.binDir, "pg_controldata"),
    args: [server.dataDir],
    env: { LC_ALL: "C" },
    timeoutMs: 10_000,
  });
  const said = new Map(
    stdout.split("\n").map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon), line.slice(colon + 1).trim()] as const;
    }),
  );
  const ours = {
    "Database system identifier": control.systemId,
    "Database cluster state": control.state,
    "Latest checkpoint location": formatLsn(control.checkpointLsn),
    "Latest checkpoint's REDO location": formatLsn(control.redoLsn),
    "Latest checkpoint's TimeLineID": String(control.timeline),
    "Latest checkpoint's PrevTimeLineID": String(control.previousTimeline),
    "Minimum recovery ending location": formatLsn(control.minRecoveryLsn),
    "Min recovery ending loc's timeline": String(control.minRecoveryTimeline),
    "wal_level setting": control.walLevel,
    "wal_log_hints setting": control.walLogHints ? "on" : "off",
    "max_connections setting": String(control.maxConnections),
    "max_worker_processes setting": String(control.maxWorkerProcesses),
    "max_wal_senders setting": String(control.maxWalSenders),
    "max_prepared_xacts setting": String(control.maxPreparedTransactions),
    "max_locks_per_xact setting": String(control.maxLocksPerTransaction),
    "Data page checksum version": String(control.checksumVersion),
    "Bytes per WAL segment": String(control.walSegmentBytes),
    "Database block size": String(control.blockBytes),
    "WAL block size": String(control.walBlockBytes),
  };
  for (const [name, value] of Object.entries(ours)) assert.equal(said.get(name), value, name);
}

test("reading goes well at every moment of a server that writes checkpoints without pause", async () => {
  await using server = await BareServer.make({ installation: await installationFor(15) });
  await server.start();
  const client = await server.client();
  const over = new AbortController();
  const checkpoints = (async () => {
    while (!over.signal.aborted) await client.query("CHECKPOINT");
  })();
  for (let read = 0; read < 2_000; read++)
    assert.equal((await readControlData(server.dataDir)).state, "in production");
  over.abort();
  await checkpoints;
});

test("a torn file is read again; one that stays damaged or is missing is named", async () => {
  await using server = await BareServer.make({ installation: await installationFor(15) });
  const path = join(server.dataDir, "global", "pg_control");
  const good = await readFile(path);
  const torn = Buffer.concat([good.subarray(0, 40), Buffer.alloc(8), good.subarray(48)]);
  await server.write("global/pg_control", torn);
  const reading = readControlData(server.dataDir);
  await delay(20);
  await server.write("global/pg_control", good);
  assert.equal((await reading).state, "shut down");

  await server.write("global/pg_control", torn);
  await assert.rejects(readControlData(server.dataDir), {
    code: "DATA_UNREADABLE",
    message: /global\/pg_control: its checksum is wrong/,
  });
  await assert.rejects(readControlData(join(server.dataDir, "base")), {
    code: "DATA_UNREADABLE",
    message: /ENOENT/,
  });
});
