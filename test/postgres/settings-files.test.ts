// What is done with files of a member that is stopped: postgresql.auto.conf, old logs, and settings
// that cannot be written.
import assert from "node:assert/strict";
import { mkdtemp, readFile, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { clearManagedAutoConf } from "../../src/postgres/settings/auto-conf.ts";
import { removeStaleLogs } from "../../src/postgres/settings/stale-logs.ts";
import { writeSettings } from "../../src/postgres/settings/write-settings.ts";

let root = "";

before(async () => {
  root = await mkdtemp(join(tmpdir(), "understudy-settings-"));
});

after(() => rm(root, { recursive: true, force: true }));

test("what ALTER SYSTEM has set of ours is taken out of a stopped member's data directory", async () => {
  const dataDir = await mkdtemp(join(root, "auto-"));
  assert.deepEqual(await clearManagedAutoConf(dataDir), []);
  const path = join(dataDir, "postgresql.auto.conf");
  await writeFile(path, "work_mem = '9MB'\nfsync = 'off'\n");
  assert.deepEqual(await clearManagedAutoConf(dataDir), ["fsync"]);
  assert.equal(await readFile(path, "utf8"), "work_mem = '9MB'\n");
});

test("a log of last week is removed before its name comes round again", async () => {
  const logDir = await mkdtemp(join(root, "log-"));
  for (const name of ["postgresql-Mon.log", "postgresql-Tue.log", "start.log"])
    await writeFile(join(logDir, name), "LOG");
  await utimes(join(logDir, "postgresql-Mon.log"), daysAgo(7), daysAgo(7));
  await utimes(join(logDir, "postgresql-Tue.log"), daysAgo(5), daysAgo(5));
  await utimes(join(logDir, "start.log"), daysAgo(30), daysAgo(30));
  assert.deepEqual(await removeStaleLogs({ logDir, now: new Date() }), ["postgresql-Mon.log"]);
  assert.deepEqual((await readdir(logDir)).toSorted(), ["postgresql-Tue.log", "start.log"]);
  assert.deepEqual(await removeStaleLogs({ logDir: join(root, "none"), now: new Date() }), []);
});

test("a settings file that cannot be written is said with its name", async () => {
  const path = join(root, "nowhere", "postgresql.conf");
  await assert.rejects(writeSettings(new Map([[path, ""]])), {
    code: "DIRECTORY_NOT_WRITABLE",
    message: /nowhere/,
  });
});

function daysAgo(count: number): Date {
  return new Date(Date.now() - count * 24 * 3_600_000);
}
