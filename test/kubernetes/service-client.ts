// A client of a cluster's Service: the address stays, and who is behind it changes. It tries to
// connect again and again, several attempts at a time, so that what it measures is when the service
// lets it in, and not when an attempt on the way to a dead address is given up.
import { setTimeout as delay } from "node:timers/promises";
import { Client } from "pg";
import { eventually } from "../support/eventually.ts";

export interface ServiceLogin {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

const ATTEMPT_EVERY_MS = 50;
const ATTEMPT_LIMIT_MS = 2_000;
/** An answer that does not come, as of a node that is off. */
const STATEMENT_LIMIT_MS = 1_000;
const PAUSE_MS = 5;
/** Longer is no promotion: a node's old rules lead to a former primary that has come back. */
const PROMOTION_MS = 300;
/** read_only_sql_transaction (manual, appendix A). */
const READ_ONLY = "25006";
/** Of pg, where a server speaks no TLS. */
const NO_TLS = "The server does not support SSL connections";

export class ServiceWriter implements AsyncDisposable {
  readonly #login: ServiceLogin;
  readonly #acknowledged: number[] = [];
  readonly #stop = new AbortController();
  readonly #ended: Promise<void>;
  #next = 1;
  #lastMs = performance.now();
  #longestGapMs = 0;
  #trouble = "";

  private constructor(login: ServiceLogin) {
    this.#login = login;
    this.#ended = this.#run();
  }

  /** Resolves when its first row is acknowledged. Its table is made anew. */
  static async start(login: ServiceLogin): Promise<ServiceWriter> {
    await ask(login, "DROP TABLE IF EXISTS written; CREATE TABLE written (n bigint NOT NULL)");
    const writer = new ServiceWriter(login);
    await writer.hasWritten(1);
    return writer;
  }

  get acknowledged(): readonly number[] {
    return this.#acknowledged;
  }

  /** The longest time between two answers since then. */
  get longestGapMs(): number {
    return Math.round(Math.max(this.#longestGapMs, performance.now() - this.#lastMs));
  }

  forgetGaps(): void {
    this.#longestGapMs = 0;
  }

  async hasWritten(more: number): Promise<void> {
    const wanted = this.#acknowledged.length + more;
    await eventually(
      `the application has written ${more} more rows`,
      () => this.#acknowledged.length >= wanted,
      { seen: () => this.#trouble },
    );
  }

  /** Of the acknowledged rows: how many the service does not show, and how many it shows twice. */
  async compare(): Promise<{ lost: number; doubled: number }> {
    const rows = await ask(this.#login, "SELECT n, count(*)::int AS times FROM written GROUP BY n");
    const times = new Map(rows.map((row) => [Number(row["n"]), Number(row["times"])]));
    return {
      lost: this.#acknowledged.filter((n) => !times.has(n)).length,
      doubled: [...times].filter(([, count]) => count > 1).length,
    };
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const client = await connectSoon(this.#login, signal);
      if (client === null) return;
      const patience = performance.now() + PROMOTION_MS;
      try {
        while (!signal.aborted) {
          const n = this.#next++;
          if (!(await insert(client, { n, patient: performance.now() < patience }))) {
            await delay(PAUSE_MS);
            continue;
          }
          this.#acknowledged.push(n);
          this.#longestGapMs = Math.max(this.#longestGapMs, performance.now() - this.#lastMs);
          this.#lastMs = performance.now();
          await delay(PAUSE_MS);
        }
      } catch (thrown) {
        this.#trouble = String(thrown);
        // A standby lets in, and takes nothing.
        await delay(PAUSE_MS);
      } finally {
        void client.end().catch(() => {});
      }
    }
  }
}

/**
 * A server that takes no writes yet takes them in the same session when it is promoted: pools keep
 * theirs after such an error. @returns whether it is acknowledged
 */
async function insert(client: Client, of: { n: number; patient: boolean }): Promise<boolean> {
  try {
    await client.query("INSERT INTO written (n) VALUES ($1)", [of.n]);
    return true;
  } catch (thrown) {
    if (of.patient && Object(thrown).code === READ_ONLY) return false;
    throw thrown;
  }
}

/** Once, as somebody who has time. */
export async function ask(
  login: ServiceLogin,
  sql: string,
): Promise<readonly Record<string, unknown>[]> {
  const client = await connect(login, { limitMs: 10_000, statementMs: 30_000 });
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end().catch(() => {});
  }
}

/** The first of all attempts that is let in; null when it is not wanted any more. */
async function connectSoon(login: ServiceLogin, signal: AbortSignal): Promise<Client | null> {
  const first = Promise.withResolvers<Client | null>();
  const over = new AbortController();
  const giveUp = () => first.resolve(null);
  signal.addEventListener("abort", giveUp, { once: true });
  const limits = { limitMs: ATTEMPT_LIMIT_MS, statementMs: STATEMENT_LIMIT_MS };
  const attempt = () => {
    void connect(login, limits).then(
      (client) => {
        if (over.signal.aborted) void client.end().catch(() => {});
        over.abort();
        first.resolve(client);
      },
      () => {}, // Others are on their way.
    );
  };
  attempt();
  const timer = setInterval(attempt, ATTEMPT_EVERY_MS);
  try {
    return signal.aborted ? null : await first.promise;
  } finally {
    clearInterval(timer);
    over.abort();
    signal.removeEventListener("abort", giveUp);
  }
}

async function connect(
  login: ServiceLogin,
  { limitMs, statementMs }: { limitMs: number; statementMs: number },
): Promise<Client> {
  const open = async (ssl: boolean) => {
    const client = new Client({
      ...login,
      ssl: ssl ? { rejectUnauthorized: false } : false,
      connectionTimeoutMillis: limitMs,
      query_timeout: statementMs,
    });
    client.on("error", () => {});
    try {
      await client.connect();
      return client;
    } catch (thrown) {
      void client.end().catch(() => {});
      throw thrown;
    }
  };
  try {
    return await open(true);
  } catch (thrown) {
    if (thrown instanceof Error && thrown.message === NO_TLS) return open(false);
    throw thrown;
  }
}
