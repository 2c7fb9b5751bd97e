// The turn at being rewound or copied anew, which the running primary gives to one member at a
// time: an advisory lock of a session (manual, 13.3.5). It ends with the connection, so nobody has
// to take it back from a member that died.
import type { Client } from "pg";
import { UnderstudyError, codeOf, messageOf } from "../../core/errors.ts";
import { connect } from "../connect.ts";
import { SOURCE_DATABASE, type RewindSource } from "./source.ts";

/** "under", "stdy": of the database "postgres", where applications have no locks of their own. */
const LOCK = [0x756e6465, 0x73746479] as const;
const QUERY_LIMIT_MS = 5_000;
/** SQLSTATE: a person took the function from everybody. */
const NOT_PERMITTED = "42501";

export class RewindTurnLock implements Disposable {
  readonly #client: Client;
  readonly #source: RewindSource;

  private constructor(of: { client: Client; source: RewindSource }) {
    this.#client = of.client;
    this.#source = of.source;
  }

  /** @throws UnderstudyError CONNECTION_FAILED. */
  static async open(source: RewindSource, signal: AbortSignal): Promise<RewindTurnLock> {
    const client = await connect({
      ...source,
      database: SOURCE_DATABASE,
      queryTimeoutMs: QUERY_LIMIT_MS,
      signal,
    });
    return new RewindTurnLock({ client, source });
  }

  /**
   * Once only: each time that it is given would have to be given back.
   * @throws UnderstudyError CONNECTION_FAILED when the primary has gone meanwhile.
   */
  async take(): Promise<boolean> {
    try {
      // From 14 on a user's limit of idle sessions would end this one, which has nothing to do.
      const [row] = await this.#ask<{ taken: boolean }>(
        `SELECT pg_try_advisory_lock($1, $2) AS taken,
                CASE WHEN current_setting('server_version_num')::int >= 140000
                     THEN set_config('idle_session_timeout', '0', false) END`,
        LOCK,
      );
      return row?.taken === true;
    } catch (thrown) {
      if (codeOf(thrown) === NOT_PERMITTED) return false;
      throw this.#gone(thrown);
    }
  }

  /**
   * The primary still is what this member is to be rewound to.
   * @throws UnderstudyError CONNECTION_FAILED.
   */
  async confirm(timeline: number): Promise<void> {
    // Of the WAL that it writes: pg_control may name the one before for minutes.
    const rows = await this.#ask<{ timeline: number | null }>(
      `SELECT CASE WHEN pg_is_in_recovery() THEN NULL
                   ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int
              END AS timeline`,
    ).catch((thrown: unknown) => {
      throw this.#gone(thrown);
    });
    if (rows[0]?.timeline === timeline) return;
    throw this.#gone(new Error(`it is not the primary on timeline ${timeline} any more`));
  }

  async #ask<Row extends object>(sql: string, values: readonly number[] = []): Promise<Row[]> {
    return (await this.#client.query<Row>(sql, [...values])).rows;
  }

  #gone(cause: unknown): UnderstudyError {
    const { host, port } = this.#source;
    return new UnderstudyError(
      "CONNECTION_FAILED",
      `${host}:${port} was to give the turn at being rewound: ${messageOf(cause)}`,
      { cause },
    );
  }

  [Symbol.dispose](): void {
    // A primary that is gone would not take leave.
    void this.#client.end().catch(() => {});
  }
}
