import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { SUPPORTED_MAJORS } from "../../core/spec.ts";
import { withoutManaged } from "./auto-conf.ts";
import { type SettingsContext, controlMinimumsOf } from "./context.ts";
import {
  checkManaged,
  checkName,
  effectiveSettings,
  findManaged,
  managedSettings,
} from "./managed.ts";
import { SAMPLE } from "../../../test/support/settings-context.ts";

test("no major has two rows for one setting, and every reason reads on after 'because'", () => {
  for (const major of SUPPORTED_MAJORS) {
    const names = managedSettings(major).map((setting) => setting.name);
    assert.equal(new Set(names).size, names.length, `${major}`);
  }
  for (const { name, why } of managedSettings(18))
    assert.match(why, /^[a-zU].*[^.]$/, `the reason of ${name}`);
});

test("what streaming and safety rest on is refused by name, with the reason", () => {
  const refused = ["fsync", "full_page_writes", "hot_standby", "wal_log_hints", "listen_addresses"];
  for (const name of [...refused, "primary_conninfo", "HBA_FILE", "port"])
    assert.throws(() => checkManaged(name, "x"), {
      code: "PARAMETER_MANAGED",
      message: new RegExp(`cannot set ${name.toLowerCase()}: Understudy sets it itself, because `),
    });
});

test("wal_level may be raised to logical, and not lowered", () => {
  checkManaged("wal_level", "logical");
  checkManaged("wal_level", "Replica");
  assert.throws(() => checkManaged("wal_level", "minimal"), { code: "PARAMETER_INVALID" });
  assert.equal(effectiveSettings(SAMPLE, { wal_level: "logical" }).get("wal_level"), "logical");
});

test("archive_mode is untouched and the user's own", () => {
  assert.equal(findManaged("archive_mode"), undefined);
  assert.equal(effectiveSettings(SAMPLE, {}).has("archive_mode"), false);
  assert.equal(effectiveSettings(SAMPLE, { archive_mode: "on" }).get("archive_mode"), "on");
});

test("senders and slots suffice for every member's stream, a base backup of each and four more", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 17 }), (memberCount) => {
      const settings = effectiveSettings({ ...SAMPLE, memberCount }, {});
      for (const name of ["max_wal_senders", "max_replication_slots"])
        assert.ok(Number(settings.get(name)) >= 2 * memberCount + 4);
    }),
  );
});

test("adding a standby to three members asks for no restart", () => {
  assert.equal(sendersOf({ ...SAMPLE, memberCount: 3 }), sendersOf({ ...SAMPLE, memberCount: 8 }));
});

test("a user may raise senders, and lowering them changes nothing", () => {
  assert.equal(sendersOf(SAMPLE, { max_wal_senders: "50" }), "50");
  assert.equal(sendersOf(SAMPLE, { max_wal_senders: "2" }), "20");
  assert.equal(sendersOf(SAMPLE, { max_wal_senders: "0x40" }), "0x40");
  assert.throws(() => sendersOf(SAMPLE, { max_wal_senders: "many" }), {
    code: "PARAMETER_INVALID",
  });
});

test("no standby-sensitive setting is lower than pg_control has it (lesson 30)", () => {
  const controlMinimums = controlMinimumsOf({
    maxConnections: 300,
    maxWorkerProcesses: 16,
    maxWalSenders: 40,
    maxPreparedTransactions: 5,
    maxLocksPerTransaction: 128,
  });
  const settings = effectiveSettings(
    { ...SAMPLE, controlMinimums },
    { max_connections: "50", max_worker_processes: "32" },
  );
  assert.equal(settings.get("max_connections"), "300");
  assert.equal(settings.get("max_worker_processes"), "32");
  assert.equal(settings.get("max_wal_senders"), "40");
  assert.equal(settings.get("max_prepared_transactions"), "5");
  assert.equal(settings.get("max_locks_per_transaction"), "128");
});

test("pg_control of 10 and 11 has no max_wal_senders, and none is asked for", () => {
  const minimums = controlMinimumsOf({
    maxConnections: 100,
    maxWorkerProcesses: 8,
    maxWalSenders: null,
    maxPreparedTransactions: 0,
    maxLocksPerTransaction: 64,
  });
  assert.equal("max_wal_senders" in minimums, false);
});

test("connections that reserved ones and, up to 11, senders would use up are refused", () => {
  assert.throws(() => effectiveSettings({ ...SAMPLE, major: 11 }, { max_connections: "23" }), {
    code: "PARAMETER_INVALID",
    message: /at least 24 are needed/,
  });
  effectiveSettings({ ...SAMPLE, major: 11 }, { max_connections: "24" });
  effectiveSettings({ ...SAMPLE, major: 12 }, { max_connections: "4" });
  assert.throws(() => effectiveSettings({ ...SAMPLE, major: 12 }, { max_connections: "3" }), {
    code: "PARAMETER_INVALID",
  });
});

test("the slots' cap is a fifth of the disk, but of a small one no more than half", () => {
  assert.equal(slotCapOf(100 * 1024 ** 3), "20480MB");
  assert.equal(slotCapOf(3 * 1024 ** 3), "1024MB");
  assert.equal(slotCapOf(1024 ** 3), "512MB");
  assert.equal(
    effectiveSettings({ ...SAMPLE, major: 12 }, {}).has("max_slot_wal_keep_size"),
    false,
  );
});

test("a member without an upstream waits, and names neither conninfo nor slot", () => {
  const settings = effectiveSettings({ ...SAMPLE, upstream: null }, {});
  assert.equal(settings.get("primary_conninfo"), "");
  assert.equal(settings.get("primary_slot_name"), "");
});

test("whoever follows looks often for WAL, and a member alone seldom enough to cost nothing", () => {
  const name = "wal_retrieve_retry_interval";
  assert.equal(effectiveSettings(SAMPLE, {}).get(name), "100ms");
  assert.equal(effectiveSettings({ ...SAMPLE, upstream: null }, {}).get(name), "300ms");
});

test("TimescaleDB reports nothing to anyone unless the user asks for it", () => {
  const context = { ...SAMPLE, preload: ["timescaledb"] };
  const level = "timescaledb.telemetry_level";
  assert.equal(effectiveSettings(context, {}).get(level), "off");
  assert.equal(effectiveSettings(context, { [level]: "basic" }).get(level), "basic");
  assert.equal(effectiveSettings(SAMPLE, {}).has(level), false);
});

test("a name that could be anything else in a settings file is no name (lesson 50)", () => {
  const nasty = ["", "a b", "a=b", "work_mem\nfsync", "'x'", "a.b.c", "1a", "a-b", "include"];
  for (const name of [...nasty, "INCLUDE_DIR", "include_if_exists", "x".repeat(64), "ä"])
    assert.throws(() => checkName(name), { code: "PARAMETER_UNKNOWN" }, name);
  for (const name of ["work_mem", "TimeZone", "pg_stat_statements.max"]) checkName(name);
});

function sendersOf(context: SettingsContext, parameters: Record<string, string> = {}) {
  return effectiveSettings(context, parameters).get("max_wal_senders");
}

function slotCapOf(diskBytes: number) {
  return effectiveSettings({ ...SAMPLE, diskBytes }, {}).get("max_slot_wal_keep_size");
}

test("what ALTER SYSTEM has set of ours is taken out, the user's own stays (lessons table 2, row 7)", () => {
  const { text, removed } = withoutManaged(
    "# Do not edit\nwork_mem = '8MB'\nprimary_conninfo = 'host=x'\n FSYNC='off'\nmax_wal_senders = '2'\n",
  );
  assert.equal(text, "# Do not edit\nwork_mem = '8MB'\n");
  assert.deepEqual(removed, ["primary_conninfo", "fsync", "max_wal_senders"]);
});
