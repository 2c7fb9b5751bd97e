// A primary and its standby, whose restore_command looks into a spool with an awkward path: for
// tests that kill the primary while the standby lacks some of its WAL. Trials of a rescue are
// driven from here.
import { readdir } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { join } from "node:path";
import { greatestLsn, parseLsn, parseLsnOrNull, type Lsn } from "../../src/core/lsn.ts";
import { signalPostmaster } from "../../src/postgres/processes.ts";
import type { Installation } from "../../src/postgres/installation.ts";
import { renderSettings } from "../../src/postgres/settings/render.ts";
import { renderRestoreCommand } from "../../src/postgres/settings/restore-command.ts";
import type { RescueOutcome, RescueRequest } from "../../src/postgres/wal-rescue/outcome.ts";
import { rescueWal } from "../../src/postgres/wal-rescue/rescue-wal.ts";
import { BareServer } from "./bare-server.ts";
import { eventually } from "./eventually.ts";

const SETTINGS = {
  wal_level: "replica",
  wal_log_hints: "on",
  checkpoint_timeout: "1h",
  // pg_wal keeps its used segments under new names.
  min_wal_size: "160MB",
  wal_retrieve_retry_interval: "100ms",
  // A stream that a test has frozen stays as it is, however long a busy machine takes.
  wal_receiver_timeout: "0",
  wal_sender_timeout: "0",
};

export class RescuePair implements AsyncDisposable {
  readonly primary: BareServer;
  readonly standby: BareServer;
  readonly #upstreamPort: number;
  /** What was in the spool each time that the standby was to leave its upstream. */
  readonly leftUpstream: string[][] = [];

  private constructor(of: { primary: BareServer; standby: BareServer }) {
    this.primary = of.primary;
    this.standby = of.standby;
    this.#upstreamPort = of.primary.port;
  }

  /** Both stopped, with the table t, and recycled segments in the primary's pg_wal. */
  static async make(options: { installation: Installation }): Promise<RescuePair> {
    const primary = await BareServer.make({ ...options, settings: SETTINGS });
    try {
      await primary.start();
      await primary.row("CREATE TABLE public.t (n bigserial, filler text)");
      await primary.row(insert(85_000));
      await primary.row("CHECKPOINT");
      await primary.stop();
      return new RescuePair({ primary, standby: await BareServer.copyOf(primary) });
    } catch (cause) {
      await primary[Symbol.asyncDispose]();
      throw cause;
    }
  }

  /** As make; both run, and the standby streams and has everything. */
  static async streaming(options: { installation: Installation }): Promise<RescuePair> {
    const pair = await RescuePair.make(options);
    await pair.primary.start();
    await pair.startStandby();
    await pair.caughtUp();
    return pair;
  }

  get spoolDir(): string {
    return join(this.standby.dataDir, "..", `it's 100%f of a "spool"`);
  }

  /** Follows the primary, where there is one. */
  async startStandby(): Promise<void> {
    const settings = new Map([
      [
        "primary_conninfo",
        `host=127.0.0.1 port=${this.#upstreamPort} user=postgres application_name=standby`,
      ],
      ["recovery_target_timeline", "latest"],
      ["restore_command", renderRestoreCommand(this.spoolDir)],
    ]);
    if (this.standby.installation.major < 12)
      await this.standby.write(
        "recovery.conf",
        renderSettings(new Map([["standby_mode", "on"], ...settings])),
      );
    else {
      await this.standby.write("postgresql.auto.conf", renderSettings(settings));
      await this.standby.write("standby.signal", "");
    }
    await this.standby.start();
  }

  /** By streaming: from its own disk alone it may have everything before it has begun to. */
  async caughtUp(): Promise<void> {
    await eventually(
      "the standby streams and has everything",
      async () =>
        (await this.primary.value(`
        SELECT true FROM pg_stat_replication
        WHERE state = 'streaming' AND flush_lsn >= pg_current_wal_lsn()`)) === true,
    );
  }

  /** Nothing reaches the standby any more; commits go on. */
  async freezeStream(): Promise<void> {
    const pid = await this.primary.value("SELECT pid FROM pg_stat_replication");
    process.kill(Number(pid), "SIGSTOP");
  }

  /** @returns how many rows were acknowledged: each statement is one transaction. */
  async writeRows(count: number): Promise<number> {
    await this.primary.row(insert(count));
    return count;
  }

  /** What the standby has received or replayed. */
  async position(): Promise<Lsn> {
    const row = await this.standby.row(
      "SELECT pg_last_wal_receive_lsn()::text AS received, pg_last_wal_replay_lsn()::text AS replayed",
    );
    const [received, replayed] = [row["received"], row["replayed"]];
    const position = greatestLsn(
      parseLsnOrNull(received === null ? null : String(received)),
      parseLsnOrNull(replayed === null ? null : String(replayed)),
    );
    if (position === null) throw new Error("the standby has no position");
    return position;
  }

  async request(): Promise<RescueRequest> {
    return {
      deadDataDir: this.primary.dataDir,
      standbyDataDir: this.standby.dataDir,
      spoolDir: this.spoolDir,
      position: await this.position(),
      leaveUpstream: async () => {
        this.leftUpstream.push(await readdir(this.spoolDir));
      },
      signal: AbortSignal.timeout(60_000),
    };
  }

  async rescue(): Promise<RescueOutcome> {
    return rescueWal(await this.request());
  }

  /** SIGHUP has the standby look at once, instead of at its next retry. */
  async replayed(end: Lsn): Promise<void> {
    signalPostmaster({ dataDir: this.standby.dataDir, signal: "SIGHUP" });
    const client = await this.standby.client();
    await eventually("the standby replays to the end", async () => {
      const { rows } = await client.query<{ lsn: string }>(
        "SELECT pg_last_wal_replay_lsn()::text AS lsn",
      );
      return parseLsn(rows[0]?.lsn ?? "") >= end;
    });
    await client.end();
  }

  async rowsOnStandby(): Promise<number> {
    return Number(await this.standby.value("SELECT count(*) FROM public.t"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.primary[Symbol.asyncDispose]();
    await this.standby[Symbol.asyncDispose]();
  }
}

/** Clients that insert without pause until the server is gone. @returns rows acknowledged. */
export function writeUntilDeath(
  server: BareServer,
  clients: number,
): { readonly acknowledged: () => number; readonly ended: Promise<unknown> } {
  let acknowledged = 0;
  const writer = async () => {
    try {
      // The others may have had it killed before this one has come in.
      const client = await server.client();
      for (;;) {
        await client.query(insert(40));
        acknowledged += 40;
      }
    } catch {
      // The server was killed.
    }
  };
  const ended = Promise.all(Array.from({ length: clients }, writer));
  return { acknowledged: () => acknowledged, ended };
}

export async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`not within 60 s: ${condition.toString()}`);
    await delay(1);
  }
}

function insert(rows: number): string {
  return `INSERT INTO public.t (filler) SELECT repeat(md5(i::text), 30) FROM generate_series(1, ${rows}) AS i`;
}
