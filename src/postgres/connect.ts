// One connection to one PostgreSQL server, as our own roles make it: every wait bounded,
// search_path pinned (lesson 50), never waiting for a synchronous standby (postgres-facts: a
// timeout does not end that wait).
import type { Socket } from "node:net";
import { Client, type ClientConfig } from "pg";
import { UnderstudyError, codeOf, messageOf } from "../core/errors.ts";
import type { Secret } from "../core/secret.ts";
import type { TlsClient } from "./tls.ts";

export interface ConnectOptions {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: Secret;
  /** Default "postgres". */
  readonly database?: string;
  readonly applicationName: string;
  /** Speak the replication protocol (BASE_BACKUP, IDENTIFY_SYSTEM …) instead of SQL. */
  readonly replication?: boolean;
  /** Default 2,000. */
  readonly connectTimeoutMs?: number;
  /** Limit of each statement, on the client's clock; 0 for none (base backups). Default 5,000. */
  readonly queryTimeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Makes the socket, for callers that take it over after the login (base backups). */
  readonly stream?: () => Socket;
  /** Left out, or null: without. Of a socket that is made above that is its maker's. */
  readonly tls?: TlsClient | null;
}

/** Nothing that a user sets for everybody may end or hold up what we ask (lesson 11). */
const SESSION_SETTINGS = [
  "search_path=pg_catalog",
  "synchronous_commit=local",
  "statement_timeout=0",
  "lock_timeout=0",
  "idle_in_transaction_session_timeout=0",
  "default_transaction_read_only=off",
];

/**
 * @returns a client that is connected; end it with `end()`. When the connection is lost it emits
 * "end".
 * @throws UnderstudyError CONNECTION_FAILED; `details.code` is PostgreSQL's or the system's own.
 */
export async function connect(options: ConnectOptions): Promise<Client> {
  const client = new Client({
    host: options.host,
    port: options.port,
    user: options.user,
    password: options.password.reveal(),
    database: options.database ?? "postgres",
    application_name: options.applicationName,
    connectionTimeoutMillis: options.connectTimeoutMs ?? 2_000,
    query_timeout: options.queryTimeoutMs ?? 5_000,
    keepAlive: true,
    ssl: sslOf(options),
    options: SESSION_SETTINGS.map((setting) => `-c ${setting}`).join(" "),
    ...(options.replication ? { replication: "true" } : {}),
    ...(options.stream ? { stream: options.stream } : {}),
  });
  // A lost connection is reported by "end"; without a listener Node would end the process.
  client.on("error", () => {});
  const onAbort = () => void client.end().catch(() => {});
  options.signal?.addEventListener("abort", onAbort, { once: true });
  try {
    await client.connect();
    options.signal?.throwIfAborted();
    return client;
  } catch (cause) {
    void client.end().catch(() => {});
    throw new UnderstudyError(
      "CONNECTION_FAILED",
      `cannot connect to PostgreSQL at ${options.host}:${options.port} as ${options.user}: ${messageOf(cause)}`,
      { cause, details: { code: codeOf(cause) ?? null } },
    );
  } finally {
    options.signal?.removeEventListener("abort", onAbort);
  }
}

/** Refuses a server that has no certificate of that name from somebody who is trusted. */
function sslOf({ tls = null, stream }: ConnectOptions): ClientConfig["ssl"] {
  if (tls === null || stream !== undefined) return false;
  return { secureContext: tls.context, servername: tls.name };
}
