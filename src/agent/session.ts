// The agent's own connection to its server: one, kept open, made again when it is lost. Its end is
// the first sign that the server has gone.
import type { Client, QueryConfig, QueryResultRow } from "pg";
import { UnderstudyError, codeOf, messageOf } from "../core/errors.ts";
import { connect, type ConnectOptions } from "../postgres/connect.ts";

const SQLSTATE_LENGTH = 5;
const QUERY_LIMIT_MS = 5_000;

export class Session {
  readonly #target: ConnectOptions;
  readonly #onLost: () => void;
  #client: Promise<Client> | null = null;
  #last: Promise<unknown> = Promise.resolve();
  #unanswered = 0;

  constructor(options: { target: ConnectOptions; onLost: () => void }) {
    this.#target = options.target;
    this.#onLost = options.onLost;
  }

  /** Nobody waits for an answer. */
  get isIdle(): boolean {
    return this.#unanswered === 0;
  }

  /**
   * One statement after the other: a caller waits for those before it.
   * @throws UnderstudyError CONNECTION_FAILED or SQL_FAILED (`details.code` is the SQLSTATE).
   */
  query<Row extends QueryResultRow>(
    sql: string,
    values: unknown[] = [],
    options: { timeoutMs?: number } = {},
  ): Promise<Row[]> {
    const timeoutMs = options.timeoutMs ?? QUERY_LIMIT_MS;
    this.#unanswered += 1;
    const answer = this.#last
      .then(() => this.#query<Row>({ sql, values, timeoutMs }))
      .finally(() => (this.#unanswered -= 1));
    this.#last = answer.catch(() => {});
    return answer;
  }

  async #query<Row extends QueryResultRow>(statement: {
    sql: string;
    values: unknown[];
    timeoutMs: number;
  }): Promise<Row[]> {
    const { sql, values, timeoutMs } = statement;
    const client = await this.#connected();
    try {
      // Its types leave query_timeout out.
      const query: QueryConfig & { query_timeout: number } = {
        text: sql,
        values,
        query_timeout: timeoutMs,
      };
      const result = await client.query<Row>(query);
      return result.rows;
    } catch (cause) {
      // Without an SQLSTATE it was a time-out or a broken connection: that one cannot be used
      // again.
      if (codeOf(cause)?.length !== SQLSTATE_LENGTH) await this.close();
      throw new UnderstudyError("SQL_FAILED", `${firstWords(sql)} failed: ${messageOf(cause)}`, {
        cause,
        details: { code: codeOf(cause) ?? null },
      });
    }
  }

  /** One statement that takes long, on a connection of its own that ends with it. */
  async once(sql: string, options: { timeoutMs: number }): Promise<void> {
    try {
      await this.query(sql, [], options);
    } finally {
      await this.close();
    }
  }

  /**
   * A connection beside this one, which the caller ends: what it is told is what the server tells
   * to those who come now.
   * @throws UnderstudyError CONNECTION_FAILED.
   */
  open(options: { queryTimeoutMs: number }): Promise<Client> {
    return connect({ ...this.#target, ...options });
  }

  /** Ends the connection; the next query makes a new one. */
  async close(): Promise<void> {
    const client = this.#client;
    this.#client = null;
    await client?.then((open) => open.end()).catch(() => {});
  }

  #connected(): Promise<Client> {
    this.#client ??= this.#connect();
    return this.#client;
  }

  async #connect(): Promise<Client> {
    try {
      const client = await connect(this.#target);
      client.once("end", () => {
        this.#client = null;
        this.#onLost();
      });
      return client;
    } catch (thrown) {
      this.#client = null;
      throw thrown;
    }
  }
}

function firstWords(sql: string): string {
  return sql.trim().split(/\s+/).slice(0, 3).join(" ");
}
