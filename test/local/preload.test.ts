// Libraries that must be preloaded, through the real command line: the real TimescaleDB with
// standbys, a switchover and a new standby; pg_stat_statements; and what is refused before anything
// is started.
import assert from "node:assert/strict";
import { chmod, cp, mkdtemp, readFile, readdir, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import type { ClusterStatus } from "../../src/core/cluster-status.ts";
import { isUsable, probeInstallation } from "../../src/postgres/binaries/probe-installation.ts";
import type { Installation } from "../../src/postgres/installation.ts";
import { eventually } from "../support/eventually.ts";
import { installationFor, npmInstallationFor } from "../support/installations.ts";
import { TestCluster } from "../support/local-cluster.ts";
import { timescaleInstallation, timescaleMajors } from "../support/timescaledb.ts";

describe("preloaded libraries", { timeout: 900_000 }, () => {
  for (const major of timescaleMajors())
    it(`TimescaleDB's hypertables of PostgreSQL ${major} are read on every standby, also after a switchover`, async () => {
      await using cluster = await TestCluster.reserve(await timescaleInstallation(major));
      await cluster.ok([...cluster.upArgs(), "--preload", "timescaledb"]);
      // It is a trusted extension: the application's role, which owns the database, may create it.
      await sql(cluster, "CREATE EXTENSION timescaledb");
      await sql(cluster, "CREATE TABLE reading (at timestamptz NOT NULL, value int)");
      await sql(cluster, "SELECT create_hypertable('reading', 'at')");
      await writeHours(cluster, { from: 1, to: 1_000 });
      await assertEverywhere(cluster, { rows: 1_000, members: 3 });

      await cluster.ok(["switchover", "--to", cluster.memberName(2), "--yes"]);
      await writeHours(cluster, { from: 1_001, to: 1_500 });
      await assertEverywhere(cluster, { rows: 1_500, members: 3 });

      await cluster.ok(["standby", "add"]);
      await writeHours(cluster, { from: 1_501, to: 1_600 });
      await assertEverywhere(cluster, { rows: 1_600, members: 4 });
    });

  for (const [major, kind] of [
    [15, "system"],
    [18, "npm"],
  ] as const)
    it(`pg_stat_statements of PostgreSQL ${major} (${kind}) counts on a standby; it takes a superuser to create it`, async () => {
      const find = kind === "system" ? installationFor : npmInstallationFor;
      await using cluster = await TestCluster.reserve(await find(major));
      await cluster.ok([
        ...cluster.upArgs({ standbys: 1 }),
        "--preload",
        "pg_stat_statements",
        "--param",
        "pg_stat_statements.max=500",
      ]);
      const create = "CREATE EXTENSION pg_stat_statements";
      const { error } = await cluster.fails(["sql", create]);
      assert.equal(error.code, "SQL_FAILED");
      assert.match(error.hint, /--as-superuser/);
      await sql(cluster, create, ["--as-superuser"]);

      const standby = ["--member", cluster.memberName(2), "--as-superuser"];
      await eventually("the standby has the extension", async () => {
        const seen = "SELECT 1 FROM pg_extension WHERE extname = 'pg_stat_statements'";
        return (await sql(cluster, seen, standby)).length === 1;
      });
      await sql(cluster, "SELECT 4711 AS only_on_the_standby", standby);
      const counted = await sql(
        cluster,
        "SELECT calls, current_setting('pg_stat_statements.max') AS max, current_user AS who " +
          "FROM pg_stat_statements WHERE query LIKE 'SELECT $1 AS only_on_the_standby'",
        standby,
      );
      assert.deepEqual(
        counted.map(({ calls, max, who }) => [Number(calls), max, who]),
        [[1, "500", "postgres"]],
      );
    });

  it("a library that is not there is refused, with the nearest name and all that are there, and nothing is made", async () => {
    await using cluster = await TestCluster.reserve(15);
    for (const [name, nearest] of [
      ["timescaledb", null],
      ["pg_stat_statement", "pg_stat_statements"],
    ] as const) {
      const { status, error } = await cluster.fails([...cluster.upArgs(), "--preload", name]);
      assert.equal(status, 3);
      assert.equal(error.code, "PRELOAD_MISSING");
      assert.ok(error.message.includes(`cannot preload "${name}"`), error.message);
      assert.ok(error.message.includes(cluster.installation.libDir), error.message);
      if (nearest === null) assert.doesNotMatch(error.message, /did you mean/);
      else assert.ok(error.message.endsWith(`did you mean ${nearest}?`), error.message);
      assert.match(error.hint, /pg_stat_statements/);
      assert.deepEqual(cluster.processes(), []);
      const files = await readdir(cluster.dir).catch(() => []);
      // The lock under which it was refused is an empty file of a directory that is no cluster yet.
      assert.deepEqual(
        files.filter((file) => file !== "operation.lock"),
        [],
      );
    }
  });

  it("a library that was upgraded is told at the next start, refused beside running members, and missed when it is gone", async () => {
    await using copy = await InstallationCopy.make(await npmInstallationFor(18));
    await using cluster = await TestCluster.reserve(copy.installation);
    await cluster.ok([...cluster.upArgs({ standbys: 1 }), "--preload", "pg_stat_statements"]);
    const before = await copy.version();

    await copy.setVersion("98.7");
    for (const args of [
      ["standby", "add"],
      ["restart", cluster.memberName(2)],
    ]) {
      const { status, error } = await cluster.fails(args);
      assert.deepEqual([status, error.code], [4, "PRELOAD_DIFFERS"]);
      assert.ok(error.message.includes(before) && error.message.includes("98.7"), error.message);
    }
    assert.equal((await cluster.status()).members.length, 2);
    // A second `up` of a running cluster changes nothing, so what runs is still known to be the old
    // one.
    await cluster.ok(["up"]);
    assert.equal((await cluster.fails(["standby", "add"])).error.code, "PRELOAD_DIFFERS");
    assert.match((await cluster.run(["restart"])).stderr, /98\.7 now, it was .*ALTER EXTENSION/);
    await cluster.ok(["standby", "add"]);

    await cluster.ok(["down"]);
    await copy.setVersion("98.8");
    assert.match((await cluster.run(["up"])).stderr, /98\.8 now, it was 98\.7.*ALTER EXTENSION/);
    await cluster.untilHealthy();

    await cluster.ok(["down"]);
    await copy.removeLibrary();
    const gone = await cluster.fails(["up"]);
    assert.deepEqual([gone.status, gone.error.code], [3, "PRELOAD_MISSING"]);
    assert.deepEqual(cluster.processes(), []);
  });
});

type Row = Readonly<Record<string, unknown>>;

async function sql(
  cluster: TestCluster,
  statement: string,
  options: readonly string[] = [],
): Promise<Row[]> {
  return JSON.parse(await cluster.ok(["sql", statement, ...options]));
}

async function writeHours(
  cluster: TestCluster,
  hours: { from: number; to: number },
): Promise<void> {
  const { from, to } = hours;
  await sql(
    cluster,
    `INSERT INTO reading SELECT timestamptz '2024-01-01' + hour * interval '1 hour', hour
     FROM generate_series(${from}, ${to}) AS hour`,
  );
}

/** Every member reads the same through the hypertable, in several chunks, and reports to nobody. */
async function assertEverywhere(
  cluster: TestCluster,
  expected: { rows: number; members: number },
): Promise<void> {
  const { members, primary }: ClusterStatus = await cluster.untilHealthy();
  assert.equal(members.length, expected.members);
  for (const { name } of members) {
    const row = await eventually(`${name} has all rows`, async () => {
      const [found] = await sql(cluster, STATE, ["--member", name]);
      return Number(found?.["rows"]) === expected.rows ? found : null;
    });
    assert.equal(Number(row["sum"]), (expected.rows * (expected.rows + 1)) / 2);
    // Seven days a chunk.
    assert.ok(Number(row["chunks"]) >= Math.floor(expected.rows / 168), String(row["chunks"]));
    assert.equal(row["telemetry"], "off");
    assert.equal(row["in_recovery"], name !== primary);
  }
}

const STATE = `
  SELECT count(*) AS rows, sum(value) AS sum,
    current_setting('timescaledb.telemetry_level') AS telemetry,
    (SELECT count(*) FROM timescaledb_information.chunks) AS chunks,
    pg_is_in_recovery() AS in_recovery
  FROM reading`;

/** Programs and libraries that a test may change. */
class InstallationCopy implements AsyncDisposable {
  readonly installation: Installation;
  readonly #root: string;

  private constructor(of: { installation: Installation; root: string }) {
    this.installation = of.installation;
    this.#root = of.root;
  }

  static async make(original: Installation): Promise<InstallationCopy> {
    const root = await mkdtemp(join(await realpath(tmpdir()), "understudy-pg-"));
    await chmod(root, 0o755);
    await cp(dirname(original.binDir), root, { recursive: true, verbatimSymlinks: true });
    const installation = await probeInstallation(join(root, "bin"));
    if (!isUsable(installation)) throw new Error(installation.unusable);
    return new InstallationCopy({ installation, root });
  }

  get #control(): string {
    return join(this.installation.shareDir, "extension/pg_stat_statements.control");
  }

  async version(): Promise<string> {
    const text = await readFile(this.#control, "utf8");
    return /default_version = '(.+)'/.exec(text)?.[1] ?? "";
  }

  async setVersion(version: string): Promise<void> {
    const text = await readFile(this.#control, "utf8");
    const changed = text.replace(/default_version = '.+'/, `default_version = '${version}'`);
    await writeFile(this.#control, changed);
  }

  async removeLibrary(): Promise<void> {
    await rm(join(this.installation.libDir, "pg_stat_statements.so"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#root, { recursive: true, force: true });
  }
}
