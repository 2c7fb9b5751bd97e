// What applications do, as role app over the printed URLs: find the member that they want, insert
// without a pause, and come back by themselves when the connection is lost.
import { setTimeout as delay } from "node:timers/promises";
import { Client } from "pg";
import { eventually } from "./eventually.ts";

const PAUSE_MS = 5;
/**
 * An application goes on to the next host; what a test asks once is answered late rather than not.
 */
const CONNECT_LIMIT_MS = { ofWriter: 3_000, once: 30_000 };
const STATEMENT_LIMIT_MS = 10_000;

/**
 * As libpq does: the hosts in their order, the first that is what target_session_attrs asks for.
 * `pg` itself knows one host only.
 */
export async function connectAsLibpq(
  url: string,
  connectMs = CONNECT_LIMIT_MS.once,
): Promise<Client> {
  const { hosts, wants, rest } = parseHosts(url);
  const troubles: string[] = [];
  for (const host of hosts) {
    const client = newClient(`${rest.before}${host}${rest.after}`, connectMs);
    try {
      await client.connect();
      if (wants === "any" || (await isWritable(client)) === (wants === "read-write")) return client;
      troubles.push(`${host} is not ${wants}`);
    } catch (thrown) {
      troubles.push(`${host}: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
    }
    await client.end().catch(() => {});
  }
  throw new Error(`no host of ${hosts.join(", ")} will do: ${troubles.join("; ")}`);
}

function parseHosts(url: string): {
  hosts: string[];
  wants: string;
  rest: { before: string; after: string };
} {
  const parts = /^(postgresql:\/\/[^@]+@)([^/]+)(\/[^?]*)(?:\?target_session_attrs=(.+))?$/.exec(
    url,
  );
  if (parts === null) throw new Error(`not a connection URL of ours: ${url}`);
  const [, before = "", hosts = "", after = "", wants = "any"] = parts;
  return { hosts: hosts.split(","), wants, rest: { before, after } };
}

function newClient(connectionString: string, connectMs: number): Client {
  const client = new Client({
    connectionString,
    connectionTimeoutMillis: connectMs,
    query_timeout: STATEMENT_LIMIT_MS,
  });
  client.on("error", () => {});
  return client;
}

async function isWritable(client: Client): Promise<boolean> {
  const { rows } = await client.query<{ in_recovery: boolean }>(
    "SELECT pg_is_in_recovery() AS in_recovery",
  );
  return rows[0]?.in_recovery === false;
}

/** Runs statements on one connection and closes it. */
export async function withClient<T>(url: string, use: (client: Client) => Promise<T>): Promise<T> {
  const client = await connectAsLibpq(url);
  try {
    return await use(client);
  } finally {
    await client.end().catch(() => {});
  }
}

/**
 * Inserts 1, 2, 3 … into the table "written", one each 5 ms; a number whose answer was lost is not
 * tried again.
 */
export class AppWriter implements AsyncDisposable {
  readonly #url: string;
  readonly #acknowledged: number[] = [];
  readonly #stop = new AbortController();
  readonly #ended: Promise<void>;
  #next: number;
  #longestGapMs = 0;

  private constructor(url: string, first: number) {
    this.#url = url;
    this.#next = first;
    this.#ended = this.#run();
  }

  static async start(url: string): Promise<AppWriter> {
    const first = await withClient(url, async (client) => {
      await client.query("CREATE TABLE IF NOT EXISTS written (n bigint NOT NULL)");
      const { rows } = await client.query<{ last: string }>(
        "SELECT coalesce(max(n), 0) AS last FROM written",
      );
      return Number(rows[0]?.last) + 1;
    });
    const writer = new AppWriter(url, first);
    await writer.hasWritten(1);
    return writer;
  }

  get acknowledged(): readonly number[] {
    return this.#acknowledged;
  }

  /** The longest time between two answers. */
  get longestGapMs(): number {
    return Math.round(this.#longestGapMs);
  }

  /** Waits for so many more answers. */
  async hasWritten(more: number): Promise<void> {
    const wanted = this.#acknowledged.length + more;
    await eventually(`the application has written ${more} more rows`, () => {
      return this.#acknowledged.length >= wanted;
    });
  }

  /** @returns what was acknowledged. */
  async stop(): Promise<readonly number[]> {
    this.#stop.abort();
    await this.#ended;
    return this.#acknowledged;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    let last = performance.now();
    while (!signal.aborted) {
      let client: Client | null = null;
      try {
        client = await connectAsLibpq(this.#url, CONNECT_LIMIT_MS.ofWriter);
        while (!signal.aborted) {
          const n = this.#next++;
          await client.query("INSERT INTO written (n) VALUES ($1)", [n]);
          this.#acknowledged.push(n);
          this.#longestGapMs = Math.max(this.#longestGapMs, performance.now() - last);
          last = performance.now();
          await delay(PAUSE_MS);
        }
      } catch {
        await delay(PAUSE_MS); // It comes back by itself: nobody leads for a moment.
      } finally {
        await client?.end().catch(() => {});
      }
    }
  }
}

/** @returns which acknowledged rows are missing on the member and which rows are there twice. */
export async function compareRows(
  url: string,
  acknowledged: readonly number[],
): Promise<{ missing: number[]; doubled: number[] }> {
  return withClient(url, async (client) => {
    const { rows } = await client.query<{ n: string; times: string }>(
      "SELECT n, count(*) AS times FROM written GROUP BY n",
    );
    const times = new Map(rows.map((row) => [Number(row.n), Number(row.times)]));
    return {
      missing: acknowledged.filter((n) => !times.has(n)),
      doubled: [...times].filter(([, count]) => count > 1).map(([n]) => n),
    };
  });
}
