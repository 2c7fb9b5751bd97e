// What must not be trusted any more: a damaged record, a damaged store, a data directory that is
// gone or half made. Members that run go on, and the commands say in one sentence what is wrong.
import assert from "node:assert/strict";
import { rm, stat, writeFile } from "node:fs/promises";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";
import { clusterPaths } from "../../src/agent/member-paths.ts";
import { markerPath } from "../../src/postgres/base-backup/marker.ts";
import { AppWriter } from "../support/app-writer.ts";
import { TestCluster, memberOf } from "../support/local-cluster.ts";
import { assertAllRows, writeUrl } from "./cluster-facts.ts";

const DATABASE_LIMIT_MS = 10_000;

describe("a damaged record", () => {
  it("is named, and members that run go on until it is whole again", async () => {
    await using cluster = await TestCluster.up(15, { standbys: 1 });
    const earlier = await cluster.untilHealthy();
    await using writer = await AppWriter.start(await writeUrl(cluster));
    const whole = replaceRecord(cluster, "no JSON at all {");
    await writer.hasWritten(50);
    await assertNamed(cluster, { code: "RECORD_CORRUPT", saying: /record is no JSON$/ });
    replaceRecord(cluster, '{"version":1,"cluster":7}');
    await assertNamed(cluster, { code: "RECORD_CORRUPT", saying: /cannot be understood at "/ });
    await writer.hasWritten(50);
    replaceRecord(cluster, whole);
    const status = await cluster.untilHealthy();
    const acknowledged = await writer.stop();
    for (const { name, pid } of status.members)
      assert.equal(pid, memberOf(earlier, name).pid, `${name} was not restarted`);
    assert.equal(status.term, earlier.term);
    await assertAllRows(cluster, acknowledged);
  });
});

describe("a damaged store", () => {
  it("is named, members that run go on, and the cluster can be deleted", async () => {
    await using cluster = await TestCluster.up(15, { standbys: 1 });
    await using writer = await AppWriter.start(await writeUrl(cluster));
    const pids = [cluster.serverPids("t-1")[0], cluster.serverPids("t-2")[0]];
    const { record } = clusterPaths(cluster.dir);
    await writeFile(record, "garbage ".repeat(4_096), { flag: "r+" });
    await rm(`${record}-wal`);
    await rm(`${record}-shm`);
    await assertNamed(cluster, { code: "STORE_CORRUPT", saying: /record\.db is damaged/ });
    await writer.hasWritten(100);
    assert.deepEqual([cluster.serverPids("t-1")[0], cluster.serverPids("t-2")[0]], pids);
    await writer.stop();
    await cluster.ok(["down", "--delete", "--yes"]);
    assert.deepEqual(cluster.processes(), [], "what ran was stopped before it was deleted");
  });
});

describe("a data directory that is gone", () => {
  it("of a standby is copied anew by up", async () => {
    await using cluster = await TestCluster.up(15, { standbys: 1 });
    await cluster.ok(["down"]);
    await rm(cluster.paths("t-2").data, { recursive: true });
    await cluster.ok(["up"]);
    assert.equal(memberOf(await cluster.untilHealthy(), "t-2").state, "streaming");
  });

  it("of the primary is named by up, and a failover to the standby is possible", async () => {
    await using cluster = await TestCluster.up(15, { standbys: 1 });
    await using writer = await AppWriter.start(await writeUrl(cluster));
    await writer.hasWritten(20);
    const acknowledged = await writer.stop();
    await cluster.ok(["down"]);
    await rm(cluster.paths("t-1").data, { recursive: true });
    await failsOverFrom(cluster, acknowledged);
  });

  it("of the primary is no other than a half-made one: it is never started", async () => {
    await using cluster = await TestCluster.up(15, { standbys: 1 });
    await using writer = await AppWriter.start(await writeUrl(cluster));
    await writer.hasWritten(20);
    const acknowledged = await writer.stop();
    await cluster.ok(["down"]);
    const { data, logs } = cluster.paths("t-1");
    const at = new Date().toISOString();
    const marker = { operation: "rewind", pid: 1, startedAt: at, source: null };
    await writeFile(markerPath(data), JSON.stringify(marker));
    const started = (await stat(`${logs}/start.log`)).mtimeMs;
    const first = await cluster.fails(["up", "--timeout", "120s"]);
    assert.match(first.error.message, /half made/);
    assert.equal((await stat(`${logs}/start.log`)).mtimeMs, started, "it was not started");
    await failsOverFrom(cluster, acknowledged);
  });
});

async function failsOverFrom(cluster: TestCluster, acknowledged: readonly number[]): Promise<void> {
  const { error } = await cluster.fails(["up", "--timeout", "120s"]);
  assert.equal(error.code, "DATA_MISSING");
  assert.match(error.message, /data is (gone|half made)$/);
  assert.match(error.hint, /understudy .*failover$/);
  const status = await cluster.status();
  assert.equal(status.state, "no-primary");
  await cluster.ok(["failover", "--accept-loss", "--yes"]);
  const later = await cluster.untilHealthy();
  assert.equal(later.primary, "t-2");
  assert.equal(memberOf(later, "t-1").state, "streaming");
  await assertAllRows(cluster, acknowledged);
}

/** @returns what was there. */
function replaceRecord(cluster: TestCluster, body: string): string {
  using database = openDatabase(cluster);
  const row = database.db.prepare("SELECT body FROM record").get();
  database.db.prepare("UPDATE record SET body = ?, revision = revision + 1").run(body);
  return String(row?.["body"]);
}

function openDatabase(cluster: TestCluster): Disposable & { db: DatabaseSync } {
  const db = new DatabaseSync(clusterPaths(cluster.dir).record, { timeout: DATABASE_LIMIT_MS });
  return { db, [Symbol.dispose]: () => db.close() };
}

async function assertNamed(
  cluster: TestCluster,
  expected: { code: string; saying: RegExp },
): Promise<void> {
  const { status, error } = await cluster.fails(["status"]);
  assert.deepEqual([status, error.code], [1, expected.code]);
  assert.match(error.message, expected.saying);
  assert.doesNotMatch(error.message, /\n/);
}
