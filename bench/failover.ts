// How long writes stand still when a primary fails or hands over, as an application sees it that
// writes each 5 ms and comes back by itself: node bench/failover.ts [--rounds 10].
// Beside it, in the same run, the floor: two bare servers, the primary killed and the standby
// promoted at that moment by a script that knows it beforehand.
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { Client } from "pg";
import { signalPostmaster } from "../src/postgres/processes.ts";
import { memberUrl, writeUrl } from "../test/local/cluster-facts.ts";
import { AppWriter, compareRows } from "../test/support/app-writer.ts";
import { BareServer } from "../test/support/bare-server.ts";
import { installationFor } from "../test/support/installations.ts";
import { TestCluster } from "../test/support/local-cluster.ts";
import { median } from "./median.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "10" },
  },
});
const ROUNDS = Number(values.rounds);
const PAUSE_MS = 5;
const ROWS = 100;

/* oxlint-disable no-console -- a program that prints. */

/** Milliseconds, and rows of all rounds. */
interface Result {
  readonly what: string;
  readonly goal: number | null;
  readonly gaps: readonly number[];
  readonly lost: number;
  readonly doubled: number;
}

const installation = await installationFor(15);
print(await bare());
const cluster = await TestCluster.reserve(installation);
try {
  await cluster.ok(cluster.upArgs());
  print(await fault({ what: "PostgreSQL killed", goal: 300, cause: killServer }));
  print(await fault({ what: "member killed whole", goal: 300, cause: killMember }));
  print(await fault({ what: "switchover", goal: 200, cause: switchOver }));
} finally {
  await cluster[Symbol.asyncDispose]();
}

async function fault(of: {
  what: string;
  goal: number;
  cause: (primary: string) => Promise<void>;
}): Promise<Result> {
  const { what, goal } = of;
  const gaps: number[] = [];
  let [lost, doubled] = [0, 0];
  for (let round = 0; round < ROUNDS; round += 1) {
    const { primary, term } = await cluster.untilHealthy();
    await using writer = await AppWriter.start(await writeUrl(cluster));
    await writer.hasWritten(ROWS);
    await of.cause(primary ?? "");
    await cluster.until("another leads", (status) => status.term > term && status.primary !== null);
    await writer.hasWritten(ROWS);
    const acknowledged = await writer.stop();
    gaps.push(writer.longestGapMs);
    await cluster.ok(["up"]);
    const { primary: next } = await cluster.untilHealthy();
    const compared = await compareRows(await memberUrl(cluster, next ?? ""), acknowledged);
    lost += compared.missing.length;
    doubled += compared.doubled.length;
  }
  return { what, goal, gaps, lost, doubled };
}

async function killServer(primary: string): Promise<void> {
  await cluster.kill(...cluster.serverPids(primary));
}

async function killMember(primary: string): Promise<void> {
  await cluster.killMember(primary);
}

async function switchOver(primary: string): Promise<void> {
  const { members } = await cluster.status();
  const to = members.find(({ name, state }) => name !== primary && state === "streaming");
  await cluster.ok(["switchover", "--to", to?.name ?? "", "--yes"]);
}

/** One client writes; the moment of the kill is the moment of the promote request. */
async function bare(): Promise<Result> {
  const gaps: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    await using primary = await BareServer.make({
      installation,
      settings: { fsync: "on", wal_retrieve_retry_interval: "100ms" },
    });
    await using standby = await BareServer.copyOf(primary);
    await primary.start();
    await primary.row("CREATE TABLE public.written (n bigint)");
    await standby.write("standby.signal", "");
    await standby.write(
      "postgresql.auto.conf",
      `primary_conninfo = 'host=127.0.0.1 port=${primary.port} user=postgres'\n`,
    );
    await standby.start();
    while ((await standby.value("SELECT count(*)::int FROM pg_stat_wal_receiver")) !== 1)
      await delay(PAUSE_MS);
    const client = await primary.client();
    for (let n = 1; n <= ROWS; n += 1) await write(client, n);
    const last = performance.now();
    await primary.kill();
    // A postmaster that hears of its walreceiver's end at that moment takes the file by itself.
    await standby.write("promote", "").catch(() => {});
    signalPostmaster({ dataDir: standby.dataDir, signal: "SIGUSR1" });
    await untilWritten(standby);
    gaps.push(performance.now() - last);
    await client.end().catch(() => {});
  }
  return { what: "bare promotion", goal: null, gaps, lost: 0, doubled: 0 };
}

async function untilWritten(server: BareServer): Promise<void> {
  for (;;) {
    const client = await server.client();
    try {
      await write(client, 0);
      return;
    } catch {
      await delay(1); // still read-only
    } finally {
      await client.end();
    }
  }
}

async function write(client: Client, n: number): Promise<void> {
  await client.query("INSERT INTO public.written VALUES ($1)", [n]);
  await delay(PAUSE_MS);
}

function print({ what, goal, gaps, lost, doubled }: Result): void {
  const [least, most] = [Math.min(...gaps), Math.max(...gaps)].map((ms) => ms.toFixed(0));
  console.log(
    `${what.padEnd(20)} median ${median(gaps).toFixed(0)} ms, from ${least} to ${most} ms` +
      (goal === null ? "" : ` (goal ${goal} ms); lost ${lost}, doubled ${doubled}`),
  );
}
