// The floor beside which failovers are measured: two bare servers, the primary killed and the
// standby promoted at that moment, by a script that knows it beforehand.
import { setTimeout as delay } from "node:timers/promises";
import type { Client } from "pg";
import { signalPostmaster } from "../src/postgres/processes.ts";
import type { Installation } from "../src/postgres/installation.ts";
import { BareServer } from "../test/support/bare-server.ts";

const PAUSE_MS = 5;
const ROWS = 100;

/** @returns milliseconds from the last write of the old one to the first of the new one. */
export async function barePromotion(installation: Installation): Promise<number> {
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
  const ms = performance.now() - last;
  await client.end().catch(() => {});
  return ms;
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
