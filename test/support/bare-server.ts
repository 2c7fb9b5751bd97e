// A PostgreSQL server with nothing of Understudy around it: for tests of what reads data
// directories and processes. Runs as the test user through the uid of its processes, so a test may
// stay root.
import { type ChildProcess, spawn } from "node:child_process";
import { appendFile, chown, open, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Client } from "pg";
import { Secret } from "../../src/core/secret.ts";
import { connect } from "../../src/postgres/connect.ts";
import { readPostmasterPid } from "../../src/postgres/postmaster-pid.ts";
import type { Installation } from "../../src/postgres/installation.ts";
import { killServer } from "../../src/postgres/processes.ts";
import { runProgram } from "../../src/postgres/run-program.ts";
import { copyData, fillFromTemplate } from "./data-template.ts";
import { type TestUser, testDirectory, testUser } from "./test-user.ts";

const LIMIT_MS = 60_000;

export class BareServer {
  readonly installation: Installation;
  readonly dataDir: string;
  #port = 0;
  readonly #root: string;
  readonly #user: TestUser | undefined;
  readonly #clients = new Set<Client>();
  #child: ChildProcess | null = null;

  private constructor(of: {
    installation: Installation;
    root: string;
    user: TestUser | undefined;
  }) {
    this.installation = of.installation;
    this.#root = of.root;
    this.#user = of.user;
    this.dataDir = join(of.root, "data");
  }

  get port(): number {
    return this.#port;
  }

  /**
   * initdb with trust and checksums. `segmentMb`: from 11 on only. `ownSystem`: no other server has
   * its system identifier.
   */
  static async make(options: {
    installation: Installation;
    settings?: Readonly<Record<string, string>>;
    segmentMb?: number;
    ownSystem?: boolean;
  }): Promise<BareServer> {
    const { installation, settings = {}, segmentMb, ownSystem = false } = options;
    const user = await testUser();
    const root = await testDirectory(user);
    const server = new BareServer({ installation, root, user });
    const sized = segmentMb === undefined ? [] : [`--wal-segsize=${segmentMb}`];
    const args = ["-N", "-k", "-A", "trust", "-U", "postgres", "--locale=C", ...sized];
    const make = (dataDir: string) => server.#run("initdb", [...args, "-D", dataDir]);
    const { dataDir } = server;
    if (ownSystem) await make(dataDir);
    else await fillFromTemplate({ dataDir, key: [installation.binDir, ...sized], user, make });
    // As late as can be, or another test takes it in between.
    server.#port = await freePort();
    const lines = Object.entries({
      listen_addresses: "127.0.0.1",
      unix_socket_directories: "",
      port: String(server.port),
      fsync: "off",
      ...settings,
    }).map(([name, value]) => `${name} = '${value}'\n`);
    await appendFile(join(server.dataDir, "postgresql.conf"), lines.join(""));
    return server;
  }

  /** A cold copy of a stopped server, beside which it runs on a port of its own. */
  static async copyOf(source: BareServer): Promise<BareServer> {
    const { installation } = source;
    const user = await testUser();
    const server = new BareServer({ installation, root: await testDirectory(user), user });
    await copyData({ from: source.dataDir, to: server.dataDir, user });
    server.#port = await freePort();
    await appendFile(join(server.dataDir, "postgresql.conf"), `port = '${server.port}'\n`);
    return server;
  }

  async #run(program: string, args: string[]): Promise<void> {
    const result = await runProgram({
      program: join(this.installation.binDir, program),
      args,
      cwd: this.#root,
      timeoutMs: LIMIT_MS,
      ...this.#user,
    });
    if (result.status !== 0) throw new Error(`${program} failed: ${result.stderr}`);
  }

  /** Until it takes connections. @returns the postmaster's number. */
  async start(): Promise<number> {
    const log = await open(join(this.#root, "log"), "a");
    const child = spawn(join(this.installation.binDir, "postgres"), ["-D", this.dataDir], {
      stdio: ["ignore", log.fd, log.fd],
      cwd: this.#root,
      ...this.#user,
    });
    this.#child = child;
    await log.close();
    const deadline = performance.now() + LIMIT_MS;
    for (;;) {
      const file = await readPostmasterPid(this.dataDir);
      if (file?.pid === child.pid && file?.status === "ready") return file.pid;
      if (child.exitCode !== null || child.signalCode !== null || performance.now() > deadline)
        throw new Error(`PostgreSQL did not start: ${await this.log()}`);
      await delay(10);
    }
  }

  /** As a standby that follows nobody: it recovers all of its own WAL and waits. */
  async startInRecovery(): Promise<void> {
    const name = this.installation.major < 12 ? "recovery.conf" : "standby.signal";
    const text =
      this.installation.major < 12
        ? "standby_mode = 'on'\nrecovery_target_timeline = 'latest'\n"
        : "";
    await this.write(name, text);
    await this.start();
  }

  /** Makes a file of the data directory that the server may read and remove. */
  async write(name: string, content: string | Uint8Array): Promise<void> {
    const path = join(this.dataDir, name);
    await writeFile(path, content);
    if (this.#user !== undefined) await chown(path, this.#user.uid, this.#user.gid);
  }

  /** The request of `pg_ctl promote`; returns when it is writable. */
  async promote(): Promise<void> {
    await this.write("promote", "");
    this.#child?.kill("SIGUSR1");
    const deadline = performance.now() + LIMIT_MS;
    while ((await this.value("SELECT pg_is_in_recovery()")) !== false) {
      if (performance.now() > deadline) throw new Error(`it was not promoted: ${await this.log()}`);
      await delay(10);
    }
  }

  async client(): Promise<Client> {
    const client = await connect({
      host: "127.0.0.1",
      port: this.port,
      user: "postgres",
      password: new Secret(""),
      applicationName: "test",
      queryTimeoutMs: LIMIT_MS,
    });
    this.#clients.add(client);
    client.once("end", () => this.#clients.delete(client));
    return client;
  }

  /** The first row of a statement. */
  async row(sql: string): Promise<Record<string, unknown>> {
    const client = await this.client();
    try {
      const { rows } = await client.query<Record<string, unknown>>(sql);
      return rows[0] ?? {};
    } finally {
      await client.end();
    }
  }

  async value(sql: string): Promise<unknown> {
    return Object.values(await this.row(sql))[0];
  }

  /** Fast shutdown. */
  async stop(): Promise<void> {
    const child = this.#child;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    await new Promise((resolve) => {
      child.once("exit", resolve);
      child.kill("SIGINT");
    });
  }

  async kill(): Promise<void> {
    await killServer({ dataDir: this.dataDir, timeoutMs: LIMIT_MS });
  }

  async log(): Promise<string> {
    return (await readFile(join(this.#root, "log"), "utf8")).slice(-2_000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await Promise.all([...this.#clients].map((client) => client.end().catch(() => {})));
    await rm(this.#root, { recursive: true, force: true });
  }
}

/** Below the kernel's own range, so that no outgoing connection takes it in between. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    const isFree = await new Promise<boolean>((resolve) => {
      const server = createServer();
      server.once("error", () => resolve(false));
      server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
}
