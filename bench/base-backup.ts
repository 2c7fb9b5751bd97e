// How fast a clone is beside `pg_basebackup -X none` of the same server, both with manifest and
// fsync, one after the other in the same run: node bench/base-backup.ts [--bin DIR] [--scale 130]
// [--rounds 5] [--dir /var/tmp] Prints the ratio of the median throughputs (goal: at least 0.9) and
// the peak memory of the process that clones.
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { appendFile, chmod, mkdtemp, rm } from "node:fs/promises";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Secret } from "../src/core/secret.ts";
import { cloneDataDirectory } from "../src/postgres/base-backup/clone.ts";
import { connect } from "../src/postgres/connect.ts";
import { type TestUser, testUser } from "../test/support/test-user.ts";
import { median } from "../src/local/drill/statistics.ts";

const { values } = parseArgs({
  options: {
    bin: { type: "string", default: "/usr/lib/postgresql/15/bin" },
    scale: { type: "string", default: "130" },
    rounds: { type: "string", default: "5" },
    dir: { type: "string", default: "/var/tmp" },
    port: { type: "string", default: "27431" },
    /** Clones once from the server at --port; how this program calls itself. */
    once: { type: "string" },
  },
});
const port = Number(values.port);
const source = { host: "127.0.0.1", port, user: "admin", password: new Secret("unused") };

/* oxlint-disable no-console -- a program that prints. */
if (values.once === undefined) await compare();
else await cloneOnce(values.once);

async function cloneOnce(dataDir: string): Promise<void> {
  const client = await connect({ ...source, applicationName: "bench" });
  const { rows } = await client.query<{ id: string }>(
    "SELECT system_identifier::text AS id FROM pg_control_system()",
  );
  await client.end();
  const before = process.resourceUsage();
  const result = await cloneDataDirectory({
    source,
    dataDir,
    stagingDir: `${dataDir}.staging`,
    label: "bench",
    expectedSystemId: rows[0]?.id ?? "",
    tablespaceRoot: `${dataDir}.tablespaces`,
    onProgress: () => {},
    signal: AbortSignal.timeout(600_000),
  });
  const { maxRSS } = process.resourceUsage();
  console.log(JSON.stringify({ ...result, maxRSS, maxRssBefore: before.maxRSS }));
}

interface Run {
  readonly seconds: number;
  readonly maxRSS: number;
  readonly maxRssBefore: number;
}

async function compare(): Promise<void> {
  const user = await testUser();
  const directory = await mkdtemp(join(values.dir, "understudy-bench-"));
  await chmod(directory, 0o755);
  const ours: Run[] = [];
  const theirs: number[] = [];
  const server = await startFilled(directory, user);
  try {
    for (let round = 1; round <= Number(values.rounds); round++) {
      // Who comes first changes with each round, so that a drift of the disk favours neither.
      for (const who of round % 2 === 1 ? ["theirs", "ours"] : ["ours", "theirs"]) {
        const copy = join(directory, "copy");
        execFileSync("sync");
        if (who === "ours") ours.push(runOurs(copy));
        else theirs.push(runTheirs(copy));
        await rm(copy, { recursive: true, force: true });
      }
      console.log(
        `round ${round}: pg_basebackup ${theirs.at(-1)?.toFixed(2)} s, understudy ${ours.at(-1)?.seconds.toFixed(2)} s`,
      );
    }
    report(ours, theirs);
  } finally {
    const ended = new Promise((resolve) => server.once("exit", resolve));
    server.kill("SIGQUIT");
    await ended;
    await rm(directory, { recursive: true, force: true });
  }
}

function runOurs(copy: string): Run {
  const output = execFileSync(
    process.execPath,
    [import.meta.filename, "--once", copy, "--port", values.port],
    { encoding: "utf8" },
  );
  return JSON.parse(output) as Run;
}

function runTheirs(copy: string): number {
  const began = performance.now();
  const options = ["-h", source.host, "-p", values.port, "-U", source.user, "-D", copy];
  execFileSync(join(values.bin, "pg_basebackup"), [...options, "-X", "none", "-c", "fast"], {
    stdio: "pipe",
  });
  return (performance.now() - began) / 1000;
}

function report(ours: readonly Run[], theirs: readonly number[]): void {
  const medians = { ours: median(ours.map((run) => run.seconds)), theirs: median(theirs) };
  // What other work on the machine does to a run only ever makes it longer.
  const best = { ours: Math.min(...ours.map((run) => run.seconds)), theirs: Math.min(...theirs) };
  const peak = Math.max(...ours.map((run) => run.maxRSS)) / 1024;
  const idle = Math.max(...ours.map((run) => run.maxRssBefore)) / 1024;
  console.log(
    `medians: pg_basebackup ${medians.theirs.toFixed(2)} s, understudy ${medians.ours.toFixed(2)} s`,
  );
  console.log(
    `best: pg_basebackup ${best.theirs.toFixed(2)} s, understudy ${best.ours.toFixed(2)} s, ratio ${(best.theirs / best.ours).toFixed(2)}`,
  );
  console.log(`load average of the machine: ${loadavg()[0]?.toFixed(1)} on ${cpus().length} cores`);
  console.log(`throughput ratio: ${(medians.theirs / medians.ours).toFixed(2)} (goal: 0.90)`);
  console.log(`peak memory: ${peak.toFixed(0)} MiB resident (${idle.toFixed(0)} before the copy)`);
}

async function startFilled(directory: string, user: TestUser | undefined): Promise<ChildProcess> {
  const data = join(directory, "data");
  const own = { ...user, cwd: "/", stdio: "pipe" } as const;
  if (user) execFileSync("chown", [`${user.uid}:${user.gid}`, directory]);
  const initdb = ["-D", data, "-U", "admin", "-A", "trust", "-k", "-N", "--locale=C"];
  execFileSync(join(values.bin, "initdb"), initdb, own);
  await appendFile(
    join(data, "postgresql.conf"),
    `port=${port}\nlisten_addresses='127.0.0.1'\nunix_socket_directories=''\nfsync=off\nmax_wal_size=8GB\nautovacuum=off\n`,
  );
  const server = spawn(join(values.bin, "postgres"), ["-D", data], { ...own, stdio: "ignore" });
  const address = ["-h", source.host, "-p", values.port, "-U", source.user];
  const deadline = performance.now() + 30_000;
  while (!accepts(address)) if (performance.now() > deadline) throw new Error("no server");
  execFileSync(
    join(values.bin, "pgbench"),
    [...address, "-i", "-q", "-s", values.scale, "postgres"],
    {
      stdio: "pipe",
    },
  );
  execFileSync(join(values.bin, "psql"), [...address, "-c", "CHECKPOINT", "postgres"]);
  return server;
}

function accepts(address: readonly string[]): boolean {
  const { status } = spawnSync(join(values.bin, "pg_isready"), [...address, "-t", "1"]);
  return status === 0;
}
