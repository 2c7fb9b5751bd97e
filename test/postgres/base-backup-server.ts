// Real servers for the tests of the base backup: one to copy, and standbys made from copies. Run as
// an unprivileged user when the tests run as root, which PostgreSQL refuses.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { appendFile, chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Client } from "pg";
import { messageOf } from "../../src/core/errors.ts";
import { Secret } from "../../src/core/secret.ts";
import { connect } from "../../src/postgres/connect.ts";
import type { Installation } from "../../src/postgres/installation.ts";
import { type TestUser, testUser } from "../support/test-user.ts";

const LIMIT_MS = 60_000;

/** An own directory that the servers' user can reach; removed with everything in it. */
export async function workDirectory(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp("/tmp/understudy-base-backup-");
  await chmod(path, 0o755);
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

export async function giveAway(path: string): Promise<void> {
  const user = await testUser();
  if (user) execFileSync("chown", ["-R", `${user.uid}:${user.gid}`, path]);
}

/** Below 32768, so that no outgoing connection of this machine holds it. */
async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const probe = createServer();
    const free = await new Promise<boolean>((resolve) => {
      probe.once("error", () => resolve(false));
      probe.listen(port, "127.0.0.1", () => resolve(true));
    });
    probe.close();
    if (free) return port;
  }
  throw new Error("no free port found");
}

export async function eventually(what: string, condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + LIMIT_MS;
  let last = "it did not hold";
  while (performance.now() < deadline) {
    try {
      if (await condition()) return;
    } catch (error) {
      last = messageOf(error);
    }
    await delay(50);
  }
  throw new Error(`${what}: not within ${LIMIT_MS} ms: ${last}`);
}

export class TestServer implements AsyncDisposable {
  readonly port: number;
  readonly #process: ChildProcess;
  #log = "";

  constructor(given: {
    installation: Installation;
    dataDir: string;
    port: number;
    user: TestUser | undefined;
  }) {
    this.port = given.port;
    const settings = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off"];
    this.#process = spawn(
      join(given.installation.binDir, "postgres"),
      ["-D", given.dataDir, "-p", `${given.port}`, ...settings.flatMap((one) => ["-c", one])],
      { ...given.user, cwd: "/", stdio: ["ignore", "pipe", "pipe"] },
    );
    for (const stream of [this.#process.stdout, this.#process.stderr])
      stream?.on("data", (text: Buffer) => {
        this.#log += text.toString();
      });
  }

  get source(): { host: string; port: number; user: string; password: Secret } {
    return { host: "127.0.0.1", port: this.port, user: "copier", password: new Secret("unused") };
  }

  async ready(): Promise<this> {
    await eventually("the server takes connections", async () => {
      if (this.#process.exitCode !== null) return true;
      await this.sql("SELECT 1");
      return true;
    });
    if (this.#process.exitCode !== null) throw new Error(`the server ended: ${this.#log}`);
    return this;
  }

  /** The first column of the first row, as text. */
  async sql(statement: string): Promise<string | null> {
    const client: Client = await connect({
      ...this.source,
      user: "admin",
      applicationName: "test",
      queryTimeoutMs: LIMIT_MS,
    });
    try {
      const { rows } = await client.query<unknown[]>({ text: statement, rowMode: "array" });
      const value = rows[0]?.[0];
      return value === null || value === undefined ? null : String(value);
    } finally {
      await client.end();
    }
  }

  async systemId(): Promise<string> {
    return (await this.sql("SELECT system_identifier::text FROM pg_control_system()")) ?? "";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null) return;
    const ended = new Promise((resolve) => this.#process.once("exit", resolve));
    this.#process.kill("SIGQUIT");
    await ended;
  }
}

/** A primary with a role that may replicate and nothing else. */
export async function startPrimary(given: {
  installation: Installation;
  dataDir: string;
  initdb?: readonly string[];
}): Promise<TestServer> {
  const { installation, dataDir } = given;
  const user = await testUser();
  await mkdir(dataDir, { mode: 0o700 });
  await giveAway(dataDir);
  const options = ["-U", "admin", "-A", "trust", "-N", "-k", "-E", "UTF8", "--locale=C"];
  execFileSync(
    join(installation.binDir, "initdb"),
    ["-D", dataDir, ...options, ...(given.initdb ?? [])],
    { ...user, cwd: "/", stdio: "pipe" },
  );
  await appendFile(
    join(dataDir, "postgresql.conf"),
    "wal_level=replica\nmax_wal_senders=10\nmax_replication_slots=10\nhot_standby=on\n",
  );
  const server = new TestServer({ installation, dataDir, port: await freePort(), user });
  try {
    await server.ready();
    await server.sql("CREATE ROLE copier LOGIN REPLICATION");
    return server;
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}

/** Starts a copy as a standby that streams through its slot. */
export async function startStandby(given: {
  installation: Installation;
  dataDir: string;
  primary: TestServer;
  slot: string;
}): Promise<TestServer> {
  const { installation, dataDir, primary } = given;
  const user = await testUser();
  const lines = [
    `primary_conninfo = 'host=127.0.0.1 port=${primary.port} user=copier application_name=copy'`,
    `primary_slot_name = '${given.slot}'`,
    "recovery_target_timeline = 'latest'",
  ];
  if (installation.major <= 11)
    await writeFile(
      join(dataDir, "recovery.conf"),
      ["standby_mode = 'on'", ...lines, ""].join("\n"),
    );
  else {
    await appendFile(join(dataDir, "postgresql.auto.conf"), `${lines.join("\n")}\n`);
    await writeFile(join(dataDir, "standby.signal"), "");
  }
  await giveAway(dataDir);
  const server = new TestServer({ installation, dataDir, port: await freePort(), user });
  try {
    return await server.ready();
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}
