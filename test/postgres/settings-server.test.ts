// Rendered settings on real servers of every major: a primary, and a standby that follows it by
// nothing but the rendered files, in directories and with passwords that need all the quoting there
// is.
import assert from "node:assert/strict";
import { cp, mkdir, mkdtemp, readFile, readdir, rm, stat } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { slotNameOf } from "../../src/core/name.ts";
import { Secret } from "../../src/core/secret.ts";
import type { Major } from "../../src/core/spec.ts";
import { connect } from "../../src/postgres/connect.ts";
import { readControlData } from "../../src/postgres/control-data.ts";
import { initData } from "../../src/postgres/init-data.ts";
import type { Installation } from "../../src/postgres/installation.ts";
import { PostgresServer } from "../../src/postgres/server.ts";
import { checkParameters } from "../../src/postgres/settings/check-parameters.ts";
import { checkPreload } from "../../src/postgres/settings/check-preload.ts";
import { type SettingsContext, controlMinimumsOf } from "../../src/postgres/settings/context.ts";
import {
  SETTINGS_QUERY,
  type SettingsRow,
  catalogFromRows,
} from "../../src/postgres/settings/describe-parameters.ts";
import { effectiveSettings } from "../../src/postgres/settings/managed.ts";
import { renderHba } from "../../src/postgres/settings/render-hba.ts";
import {
  renderIdent,
  renderPassfile,
  renderPostgresqlConf,
  renderRecoveryFile,
} from "../../src/postgres/settings/render.ts";
import {
  configFileOf,
  hbaFileOf,
  identFileOf,
  passfileOf,
  recoveryFileOf,
} from "../../src/postgres/settings/settings-files.ts";
import { writeSettings } from "../../src/postgres/settings/write-settings.ts";
import { dropPrivileges } from "../support/drop-privileges.ts";
import { installationFor, testMajors } from "../support/installations.ts";

const ADMIN = "understudy";
const REPLICATION = "understudy_replication";
const ADMIN_PASSWORD = new Secret('admin: it\'s \\ "secret"');
const REPLICATION_PASSWORD = new Secret("repl:it's\\\\a 'secret\\' $x %p");

/**
 * Parameters that take any text, with texts that end, continue or comment in one language or
 * another.
 */
const NASTY: Readonly<Record<string, string>> = {
  ssl_ca_file: "cp '%p' \"/a\\b c/%f\" # it's $(not) a `comment` \\",
  bonjour_name: "''\\'",
  krb_server_keyfile: "\\n\\101\\",
  "pg_stat_statements.max": "500",
};

const installations = new Map<Major, Installation>();
let root = "";

before(async () => {
  for (const major of testMajors()) installations.set(major, await installationFor(major));
  await dropPrivileges();
  root = await mkdtemp(join(tmpdir(), 'understudy it\'s \\ "a" dir '));
});

after(() => rm(root, { recursive: true, force: true }));

for (const major of testMajors())
  test(`PostgreSQL ${major} takes every rendered setting and streams by them`, async () => {
    const installation = installations.get(major);
    assert.ok(installation);
    await using cluster = await Pair.open(installation);
    await cluster.makePrimary();
    await everySettingHolds(cluster);
    await valuesAreJudged(cluster);
    await onlyTheRightComeIn(cluster);
    await cluster.makeStandby();
    await standbyStreams(cluster);
    await nothingChangesTwice(cluster);
  });

/** SHOW and pg_settings say what was rendered, whatever was in it. */
async function everySettingHolds(cluster: Pair): Promise<void> {
  const rows = await query<{ name: string; setting: string; source: string; sourcefile: string }>(
    cluster.primary,
    "SELECT name, setting, source, sourcefile FROM pg_settings",
  );
  const settings = new Map(rows.map((row) => [row.name, row]));
  for (const [name, value] of Object.entries(NASTY)) {
    const [shown] = await query<{ value: string }>(
      cluster.primary,
      "SELECT current_setting($1) AS value",
      [name],
    );
    assert.equal(shown?.value, value, name);
  }
  for (const [name, value] of effectiveSettings(cluster.primary, NASTY)) {
    const row = settings.get(name);
    // The data directory is shown as a place of its own, not as a setting of the file.
    if (name !== "data_directory" && name !== "hba_file" && name !== "ident_file")
      assert.equal(row?.source, "configuration file", name);
    if (/^\d+$/.test(value)) assert.equal(row?.setting, value, name);
    if (row?.sourcefile) assert.equal(row.sourcefile, configFileOf(cluster.primary), name);
  }
  assert.equal(settings.get("data_directory")?.setting, cluster.primary.dataDir);
  assert.equal(settings.get("data_checksums")?.setting, "on");
  const refused = await query<{ name: string; error: string | null }>(
    cluster.primary,
    "SELECT name, error FROM pg_file_settings WHERE NOT applied OR error IS NOT NULL",
  );
  assert.deepEqual(refused, []);
  const hba = await query(
    cluster.primary,
    "SELECT * FROM pg_hba_file_rules WHERE error IS NOT NULL",
  );
  assert.deepEqual(hba, []);
  const [password] = await query<{ rolpassword: string }>(
    cluster.primary,
    "SELECT rolpassword FROM pg_authid WHERE rolname = $1",
    [ADMIN],
  );
  assert.match(password?.rolpassword ?? "", /^SCRAM-SHA-256\$/);
}

/** With a running server's rows extensions' parameters are known too. */
async function valuesAreJudged(cluster: Pair): Promise<void> {
  const running = catalogFromRows(await query<SettingsRow>(cluster.primary, SETTINGS_QUERY));
  const common = {
    installation: cluster.installation,
    preload: cluster.primary.preload,
    memberCount: 2,
    running,
  };
  await assert.rejects(
    checkParameters({ ...common, parameters: { "pg_stat_statements.max": "many" } }),
    { code: "PARAMETER_INVALID", message: /it takes an integer from 100 to/ },
  );
  const { needRestart } = await checkParameters({ ...common, parameters: NASTY });
  assert.deepEqual(
    needRestart,
    ["bonjour_name", "pg_stat_statements.max"].filter(
      (name) => running.get(name)?.context === "postmaster",
    ),
  );
}

/** SCRAM for everybody; our replication role opens no database, and nobody else replicates. */
async function onlyTheRightComeIn(cluster: Pair): Promise<void> {
  const { member } = cluster.primary;
  const common = { host: member.host, port: member.port, applicationName: "test" };
  await query(cluster.primary, "CREATE ROLE app LOGIN PASSWORD 'app'");
  await query(
    cluster.primary,
    `CREATE ROLE ${REPLICATION} LOGIN REPLICATION PASSWORD '${REPLICATION_PASSWORD.reveal().replaceAll("'", "''")}'`,
  );
  const app = await connect({ ...common, user: "app", password: new Secret("app") });
  await app.end();
  const refusals = [
    { user: "app", password: new Secret("wrong") },
    { user: REPLICATION, password: REPLICATION_PASSWORD },
    { user: ADMIN, password: ADMIN_PASSWORD, replication: true },
    { user: REPLICATION, password: new Secret("wrong"), replication: true },
  ];
  for (const refusal of refusals)
    await assert.rejects(connect({ ...common, ...refusal }), (thrown: { details?: unknown }) => {
      assert.match(JSON.stringify(thrown.details), /28P01|28000/);
      return true;
    });
}

async function standbyStreams(cluster: Pair): Promise<void> {
  await query(cluster.primary, "CREATE TABLE public.t AS SELECT 42 AS answer");
  await until("the standby streams what the primary writes", async () => {
    const [row] = await query<{ state: string; slot: boolean }>(
      cluster.primary,
      `SELECT r.state, s.active AS slot FROM pg_stat_replication r, pg_replication_slots s
        WHERE r.application_name = $1 AND s.slot_name = $2`,
      [cluster.standby.member.name, slotNameOf(cluster.standby.member.name)],
    );
    return row?.state === "streaming" && row.slot;
  });
  await until("the standby answers with it", async () => {
    const rows = await query<{ there: boolean }>(
      cluster.standby,
      "SELECT to_regclass('public.t') IS NOT NULL AS there",
    );
    return rows[0]?.there === true;
  });
  const [row] = await query<{ recovery: boolean; senders: string; connections: string }>(
    cluster.standby,
    `SELECT pg_is_in_recovery() AS recovery, current_setting('max_wal_senders') AS senders,
       current_setting('max_connections') AS connections`,
  );
  // The user's 60 gives way to what the data directory asks for (lesson 30).
  assert.deepEqual(row, { recovery: true, senders: "20", connections: "100" });
  const log = await Promise.all(
    (await readdir(cluster.standby.logDir)).map((name) =>
      readFile(join(cluster.standby.logDir, name), "utf8"),
    ),
  );
  assert.doesNotMatch(log.join(""), /has group or world access|password authentication failed/);
}

async function nothingChangesTwice(cluster: Pair): Promise<void> {
  const files = filesOf(cluster.primary, NASTY, cluster.members);
  assert.deepEqual(await writeSettings(files), []);
  const changed = filesOf(cluster.primary, { ...NASTY, work_mem: "9MB" }, cluster.members);
  assert.deepEqual(await writeSettings(changed), [configFileOf(cluster.primary)]);
  for (const path of changed.keys()) assert.equal((await stat(path)).mode & 0o777, 0o600);
  const left = await readdir(cluster.primary.settingsDir);
  assert.deepEqual(left.toSorted(), [
    "passfile",
    "pg_hba.conf",
    "pg_ident.conf",
    "postgresql.conf",
  ]);
}

type Members = readonly SettingsContext["member"][];

function filesOf(
  context: SettingsContext,
  parameters: Readonly<Record<string, string>>,
  members: Members,
): Map<string, string> {
  return new Map([
    [configFileOf(context), renderPostgresqlConf(context, parameters)],
    [
      hbaFileOf(context),
      renderHba({
        memberHosts: members.map((member) => member.host),
        ownHost: context.member.host,
        replicationUser: REPLICATION,
        adminUser: ADMIN,
      }),
    ],
    [identFileOf(context), renderIdent(null)],
    [
      passfileOf(context),
      renderPassfile({
        members,
        replicationUser: REPLICATION,
        replicationPassword: REPLICATION_PASSWORD,
      }),
    ],
  ]);
}

/** A primary and, later, its standby; disposing of it ends and removes both. */
class Pair implements AsyncDisposable {
  readonly installation: Installation;
  readonly primary: SettingsContext;
  readonly standby: SettingsContext;
  readonly members: Members;
  readonly #directory: string;
  readonly #servers: PostgresServer[] = [];
  readonly #signal = AbortSignal.timeout(60_000);

  private constructor(
    installation: Installation,
    place: { directory: string; ports: readonly [number, number] },
  ) {
    this.installation = installation;
    this.#directory = place.directory;
    const context = (ordinal: 1 | 2): SettingsContext => ({
      major: installation.major,
      platform: process.platform,
      member: { name: `demo-${ordinal}`, host: "127.0.0.1", port: place.ports[ordinal - 1] ?? 0 },
      memberCount: 2,
      dataDir: join(place.directory, `${ordinal}`, "data"),
      settingsDir: join(place.directory, `${ordinal}`, "settings"),
      logDir: join(place.directory, `${ordinal}`, "log"),
      spoolDir: join(place.directory, `${ordinal}`, "spool"),
      diskBytes: 10 * 1024 ** 3,
      preload: ["pg_stat_statements"],
      upstream: null,
      replicationUser: REPLICATION,
      controlMinimums: null,
    });
    this.primary = context(1);
    this.standby = { ...context(2), upstream: this.primary.member };
    this.members = [this.primary.member, this.standby.member];
  }

  static async open(installation: Installation): Promise<Pair> {
    const directory = await mkdtemp(join(root, `${installation.major}-`));
    return new Pair(installation, { directory, ports: [await freePort(), await freePort()] });
  }

  async makePrimary(): Promise<void> {
    await checkPreload(this.installation, this.primary.preload);
    await this.#makeDirectories(this.primary);
    await initData({
      installation: this.installation,
      dataDir: this.primary.dataDir,
      superuser: ADMIN,
      superuserPassword: ADMIN_PASSWORD,
      locale: "C.UTF-8",
    });
    await writeSettings(filesOf(this.primary, NASTY, this.members));
    await this.#start(this.primary);
  }

  /** A cold copy: base backups have tests of their own. */
  async makeStandby(): Promise<void> {
    await query(this.primary, "SELECT pg_create_physical_replication_slot($1, true)", [
      slotNameOf(this.standby.member.name),
    ]);
    await this.#servers[0]?.stop({ mode: "fast", timeoutMs: 30_000, signal: this.#signal });
    await this.#makeDirectories(this.standby);
    await cp(this.primary.dataDir, this.standby.dataDir, { recursive: true });
    await rm(join(this.standby.dataDir, "pg_replslot"), { recursive: true });
    await mkdir(join(this.standby.dataDir, "pg_replslot"), { mode: 0o700 });
    await this.#start(this.primary);
    const controlMinimums = controlMinimumsOf(await readControlData(this.standby.dataDir));
    const context = { ...this.standby, controlMinimums };
    const files = filesOf(context, { ...NASTY, max_connections: "60" }, this.members);
    files.set(recoveryFileOf(context), renderRecoveryFile(context));
    await writeSettings(files);
    await this.#start(context);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const signal = AbortSignal.timeout(30_000);
    for (const server of this.#servers) await server.kill(signal);
    await rm(this.#directory, { recursive: true, force: true, maxRetries: 10 });
  }

  async #makeDirectories(context: SettingsContext): Promise<void> {
    for (const directory of [context.settingsDir, context.logDir])
      await mkdir(directory, { recursive: true, mode: 0o700 });
  }

  async #start(context: SettingsContext): Promise<void> {
    const server = new PostgresServer({
      installation: this.installation,
      dataDir: context.dataDir,
      configFile: configFileOf(context),
      logDir: context.logDir,
      onExit: () => {},
    });
    this.#servers.push(server);
    await server.start({ until: "accepting", signal: this.#signal });
  }
}

async function query<Row extends object>(
  context: SettingsContext,
  text: string,
  values: readonly string[] = [],
): Promise<Row[]> {
  const client = await connect({
    host: context.member.host,
    port: context.member.port,
    user: ADMIN,
    password: ADMIN_PASSWORD,
    applicationName: "test",
    connectTimeoutMs: 10_000,
    queryTimeoutMs: 20_000,
  });
  try {
    return (await client.query<Row>(text, [...values])).rows;
  } finally {
    await client.end();
  }
}

/** Below 32768, where no outgoing connection takes it. */
async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const free = await new Promise<boolean>((resolve) => {
      const probe = createServer();
      probe.once("error", () => resolve(false));
      probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
    });
    if (free) return port;
  }
  throw new Error("no free port in 50 attempts");
}

async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!(await condition())) {
    assert.ok(performance.now() < deadline, `within 20 s: ${what}`);
    await delay(50);
  }
}
