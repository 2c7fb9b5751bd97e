// TLS between real servers, as members have it in pods: copies and streams by certificate, whom a
// server and whom a client refuses, and certificates that are renewed while everything runs.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createSecureContext, type TLSSocket } from "node:tls";
import { REPLICATION_ROLE, REWIND_ROLE } from "../../src/core/role.ts";
import { Secret } from "../../src/core/secret.ts";
import type { Major } from "../../src/core/spec.ts";
import type { Signer } from "../../src/kubernetes/certificates/authority.ts";
import { cloneDataDirectory } from "../../src/postgres/base-backup/clone.ts";
import { secureSocket } from "../../src/postgres/base-backup/secure-socket.ts";
import { connect, type ConnectOptions } from "../../src/postgres/connect.ts";
import { initData } from "../../src/postgres/init-data.ts";
import type { Installation } from "../../src/postgres/installation.ts";
import { PostgresServer } from "../../src/postgres/server.ts";
import type { SettingsContext, Upstream } from "../../src/postgres/settings/context.ts";
import { renderHba } from "../../src/postgres/settings/render-hba.ts";
import {
  renderIdent,
  renderPostgresqlConf,
  renderRecoveryFile,
} from "../../src/postgres/settings/render.ts";
import {
  configFileOf,
  hbaFileOf,
  identFileOf,
  recoveryFileOf,
} from "../../src/postgres/settings/settings-files.ts";
import { writeSettings } from "../../src/postgres/settings/write-settings.ts";
import type { TlsClient, TlsFiles } from "../../src/postgres/tls.ts";
import { dropPrivileges } from "../support/drop-privileges.ts";
import { eventually } from "../support/eventually.ts";
import { installationFor, testMajors } from "../support/installations.ts";
import { takePortBlock, type PortBlock } from "../support/port-block.ts";
import { TlsAuthority } from "../support/tls-authority.ts";

const HOST = "127.0.0.1";
const ADMIN = "postgres";
const PASSWORD = new Secret("a password");
/** Servers of one test run beside each other, those of the test before it have ended. */
const PORTS = 16;
const LIMIT_MS = 60_000;

const installations = new Map<Major, Installation>();
let root = "";
let ports: PortBlock | null = null;
let taken = 0;

before(async () => {
  for (const major of testMajors()) installations.set(major, await installationFor(major));
  ports = await takePortBlock();
  await dropPrivileges();
  root = await mkdtemp(join(tmpdir(), "understudy tls "));
});

after(async () => {
  await ports?.[Symbol.asyncDispose]();
  await rm(root, { recursive: true, force: true });
});

/** One server with certificates, at an address that several names may have. */
class Server implements AsyncDisposable {
  readonly context: SettingsContext;
  readonly files: TlsFiles;
  readonly #installation: Installation;
  readonly #authority: TlsAuthority;
  #server: PostgresServer | null = null;

  private constructor(of: {
    installation: Installation;
    authority: TlsAuthority;
    name: string;
    place: string;
    upstream: Upstream | null;
  }) {
    const { installation, place } = of;
    this.#installation = installation;
    this.#authority = of.authority;
    const file = (name: string) => join(place, "keys", name);
    this.files = {
      server: file("server.pem"),
      client: file("client.pem"),
      trusted: file("trusted.pem"),
    };
    taken = (taken % PORTS) + 1;
    this.context = {
      major: installation.major,
      platform: process.platform,
      member: { name: of.name, host: HOST, port: (ports?.first ?? 0) + taken },
      memberCount: 2,
      dataDir: join(place, "data"),
      settingsDir: join(place, "settings"),
      logDir: join(place, "log"),
      spoolDir: join(place, "spool"),
      diskBytes: 10 * 1024 ** 3,
      preload: [],
      upstream: of.upstream,
      replicationUser: REPLICATION_ROLE,
      controlMinimums: null,
      tls: this.files,
    };
  }

  static async make(of: {
    installation: Installation;
    authority: TlsAuthority;
    name: string;
    upstream?: Upstream;
  }): Promise<Server> {
    const place = await mkdtemp(join(root, `${of.name} `));
    const server = new Server({ upstream: null, ...of, place });
    const { settingsDir, logDir } = server.context;
    for (const directory of [settingsDir, logDir, join(place, "keys")])
      await mkdir(directory, { mode: 0o700 });
    await server.show(of.authority.server(of.name));
    return server;
  }

  /** By which others reach it. */
  get address(): Upstream {
    const { name, host, port } = this.context.member;
    return { name, host, port };
  }

  /** Writes what it shows, whole. */
  async show({ certificate, key }: Signer): Promise<void> {
    const client = this.#authority.client();
    await writeSettings(
      new Map([
        [this.files.server, certificate + key],
        [this.files.client, client.certificate + client.key],
        [this.files.trusted, this.#authority.certificate],
      ]),
    );
  }

  async init(): Promise<void> {
    await initData({
      installation: this.#installation,
      dataDir: this.context.dataDir,
      superuser: ADMIN,
      superuserPassword: PASSWORD,
      locale: "C.UTF-8",
    });
  }

  async start(): Promise<void> {
    const { context } = this;
    const hba = renderHba({
      memberHosts: [HOST],
      ownHost: HOST,
      replicationUser: REPLICATION_ROLE,
      rewindUser: REWIND_ROLE,
      adminUser: ADMIN,
      isByTls: true,
    });
    const certificate = { name: REPLICATION_ROLE, roles: [REPLICATION_ROLE, REWIND_ROLE] };
    const files = new Map([
      [configFileOf(context), renderPostgresqlConf(context, {})],
      [hbaFileOf(context), hba],
      [identFileOf(context), renderIdent(certificate)],
    ]);
    if (context.upstream !== null) files.set(recoveryFileOf(context), renderRecoveryFile(context));
    await writeSettings(files);
    const server = new PostgresServer({
      installation: this.#installation,
      dataDir: context.dataDir,
      configFile: configFileOf(context),
      logDir: context.logDir,
      onExit: () => {},
    });
    this.#server = server;
    await server.start({ until: "accepting", signal: AbortSignal.timeout(LIMIT_MS) });
  }

  async reload(): Promise<void> {
    await this.#server?.reload();
  }

  /** As the administrator, who is on the same machine. */
  async rows(sql: string): Promise<readonly Record<string, unknown>[]> {
    const client = await this.connect({ user: ADMIN });
    try {
      return (await client.query<Record<string, unknown>>(sql)).rows;
    } finally {
      await client.end();
    }
  }

  connect(as: Partial<ConnectOptions> & { user: string }): ReturnType<typeof connect> {
    const { host, port } = this.address;
    const common = { host, port, password: PASSWORD, applicationName: "test" };
    return connect({ ...common, queryTimeoutMs: LIMIT_MS, connectTimeoutMs: LIMIT_MS, ...as });
  }

  /** As another member would know it. */
  client(of: Partial<TlsClient> = {}): TlsClient {
    const { name } = this.context.member;
    return { name, context: this.#authority.context(), files: this.files, ...of };
  }

  /** The serial number of what it shows now. */
  async shown(): Promise<string | undefined> {
    const { host, port } = this.address;
    const target = { host, port, tls: this.client(), signal: AbortSignal.timeout(LIMIT_MS) };
    const { socket } = await secureSocket(target, new Uint8Array(1_024));
    const certificate = (socket as TLSSocket).getPeerX509Certificate();
    socket.destroy();
    return certificate?.serialNumber;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server?.kill(AbortSignal.timeout(LIMIT_MS));
  }
}

async function primaryOf(major: Major, authority: TlsAuthority): Promise<Server> {
  const installation = installations.get(major);
  assert(installation !== undefined);
  const primary = await Server.make({ installation, authority, name: "izdb-1" });
  await primary.init();
  await primary.start();
  await primary.rows(`CREATE ROLE ${REPLICATION_ROLE} LOGIN REPLICATION`);
  await primary.rows(`CREATE ROLE ${REWIND_ROLE} LOGIN`);
  await primary.rows(`CREATE ROLE app LOGIN PASSWORD '${PASSWORD.reveal()}'`);
  return primary;
}

/** Copied from the primary and following it, by TLS alone. */
async function standbyOf(
  primary: Server,
  of: { authority: TlsAuthority; major: Major; copyAs?: TlsClient },
): Promise<Server> {
  const installation = installations.get(of.major);
  assert(installation !== undefined);
  const upstream = primary.address;
  const standby = await Server.make({ ...of, installation, name: "izdb-2", upstream });
  const [system] = await primary.rows(
    "SELECT system_identifier::text AS id FROM pg_control_system()",
  );
  const { dataDir } = standby.context;
  const { host, port } = primary.address;
  const tls = of.copyAs ?? primary.client();
  await cloneDataDirectory({
    source: { host, port, user: REPLICATION_ROLE, password: new Secret("unused"), tls },
    dataDir,
    stagingDir: `${dataDir}.staging`,
    label: "copy",
    slot: "understudy_izdb_2",
    expectedSystemId: String(system?.["id"]),
    tablespaceRoot: `${dataDir}.tablespaces`,
    onProgress: () => {},
    signal: AbortSignal.timeout(LIMIT_MS),
  });
  await standby.start();
  return standby;
}

/** Of the one stream from the primary, once there is one. */
async function stream(primary: Server, major: Major): Promise<Record<string, unknown>> {
  const name = major < 12 ? "clientdn" : "client_dn";
  return eventually("a standby that streams", async () => {
    const [row] = await primary.rows(
      `SELECT pid, state, usename::text AS role, ssl, ${name} AS certificate
         FROM pg_stat_replication JOIN pg_stat_ssl USING (pid) WHERE state = 'streaming'`,
    );
    return row ?? null;
  });
}

/** For a file of its own. */
export function tlsTests(major: Major): void {
  if (!testMajors().includes(major)) return;

  test(`PostgreSQL ${major} is copied and followed over TLS, by a certificate and without a password`, async () => {
    const authority = new TlsAuthority();
    await using primary = await primaryOf(major, authority);
    await primary.rows("CREATE TABLE public.kept AS SELECT generate_series(1, 300000) AS n");
    await using standby = await standbyOf(primary, { authority, major });
    const seen = await stream(primary, major);
    assert.equal(seen["ssl"], true);
    assert.equal(seen["role"], REPLICATION_ROLE);
    assert.match(String(seen["certificate"]), new RegExp(`CN=${REPLICATION_ROLE}$`));
    await eventually("what was written on the standby", async () => {
      const [row] = await standby.rows("SELECT count(*)::int AS rows FROM public.kept");
      return row?.["rows"] === 300_000;
    });
  });

  test(`PostgreSQL ${major} lets in nobody without the right certificate, and shows its own to be refused`, async () => {
    const authority = new TlsAuthority();
    const impostor = new TlsAuthority();
    await using primary = await primaryOf(major, authority);
    const replication = { user: REPLICATION_ROLE, replication: true };
    const refused = async (as: Partial<ConnectOptions> & { user: string }, why: RegExp) => {
      const thrown = await primary.connect(as).then(
        async (client) => {
          await client.end();
          return null;
        },
        (error: unknown) => error,
      );
      assert(thrown instanceof Error, `let in: ${why}`);
      assert.match(thrown.message, why);
    };
    const byTls = (of: Partial<TlsClient>) => ({ ...replication, tls: primary.client(of) });
    const good = await primary.connect(byTls({}));
    await good.end();
    const rewind = await primary.connect({ user: REWIND_ROLE, tls: primary.client() });
    await rewind.end();
    await refused({ user: REWIND_ROLE }, /pg_hba\.conf/);
    await refused({ user: ADMIN, replication: true, tls: primary.client() }, /pg_hba\.conf/);
    const nobody = createSecureContext({ ca: authority.certificate });
    await refused(byTls({ context: nobody }), /requires a valid client certificate/);
    await refused(replication, /pg_hba\.conf/);
    const none = { context: authority.context(authority.client("app")) };
    await refused(byTls(none), /certificate authentication failed/);
    await refused({ ...byTls({}), user: "app" }, /pg_hba\.conf/);
    await refused(
      byTls({ context: authority.context(impostor.client()) }),
      /unknown ca|ECONNRESET|terminated|socket/i,
    );
    await refused(byTls({ context: impostor.context() }), /certificate|issuer/i);
    await refused(byTls({ name: "izdb-2" }), /does not match certificate/);
    await refused({ user: "app" }, /no encryption|SSL off|pg_hba\.conf/);
    const app = await primary.connect({ user: "app", database: "postgres", tls: primary.client() });
    await app.end();
    for (const copyAs of [
      primary.client({ name: "izdb-2" }),
      primary.client({ context: impostor.context() }),
    ])
      await assert.rejects(standbyOf(primary, { authority, major, copyAs }), {
        code: "CONNECTION_FAILED",
      });
    await primary.show(authority.expired("izdb-1"));
    await primary.reload();
    await eventually("a certificate that has run out, and is refused", async () => {
      const thrown = await primary.shown().catch(String);
      return /expired/.test(String(thrown));
    });
  });

  test(`PostgreSQL ${major} shows a renewed certificate without a restart, and no connection ends for it`, async () => {
    const authority = new TlsAuthority();
    await using primary = await primaryOf(major, authority);
    await using _standby = await standbyOf(primary, { authority, major });
    const following = await stream(primary, major);
    const first = await primary.shown();
    const kept = await primary.connect({
      user: "app",
      database: "postgres",
      tls: primary.client(),
    });
    await primary.show(authority.server("izdb-1", "izdb-rw"));
    await primary.reload();
    await eventually("another certificate", async () => (await primary.shown()) !== first);
    const { rows } = await kept.query("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()");
    assert.deepEqual(rows, [{ ssl: true }]);
    await kept.end();
    assert.equal((await stream(primary, major))["pid"], following["pid"]);
  });
}
