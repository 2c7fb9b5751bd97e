// The running server that a diverged one is rewound to: what is asked of it, and done there, before
// pg_rewind reads its files.
import { setTimeout as delay } from "node:timers/promises";
import type { Client } from "pg";
import { UnderstudyError, messageOf } from "../../core/errors.ts";
import type { Secret } from "../../core/secret.ts";
import type { Major } from "../../core/spec.ts";
import { connect } from "../connect.ts";
import { factsOf } from "../majors.ts";
import type { TlsClient } from "../tls.ts";
import { conninfoTo } from "../settings/conninfo-tls.ts";
import { quoteConninfo } from "../settings/quote.ts";

export interface RewindSource {
  readonly host: string;
  readonly port: number;
  /** May read the server's files by function (10: the superuser), in the database "postgres". */
  readonly user: string;
  readonly password: Secret;
  readonly applicationName: string;
  readonly tls?: TlsClient | null;
}

export interface SourceFacts {
  /** Of its newest checkpoint, which pg_rewind takes for the timeline that it is on. */
  readonly timeline: number;
  readonly tablespaces: number;
}

const DATABASE = "postgres";
const CHECKPOINT_LIMIT_MS = 60_000;
/** The primary makes one by itself some seconds after its promotion. */
const TIMELINE_LIMIT_MS = 15_000;
const TIMELINE_POLL_MS = 50;

/**
 * Waits until the source's pg_control is on the timeline that it leads: before the checkpoint that
 * writes it there, pg_rewind would take the source for its own past (lesson 26). It is asked for
 * one by `checkpointBy`, one after the other, until one is let in.
 * @throws UnderstudyError CONNECTION_FAILED or SQL_FAILED.
 */
export async function prepareSource(options: {
  source: RewindSource;
  /** Who may CHECKPOINT there; each may be refused. */
  checkpointBy: readonly RewindSource[];
  timeline: number;
  signal: AbortSignal;
}): Promise<SourceFacts> {
  const { source, checkpointBy, timeline, signal } = options;
  const client = await open(source, signal);
  try {
    let facts = await ask(client);
    if (facts.timeline === timeline) return facts;
    for (const who of checkpointBy) if (await checkpoint(who, signal)) break;
    const deadline = performance.now() + TIMELINE_LIMIT_MS;
    while ((facts = await ask(client)).timeline !== timeline && performance.now() < deadline)
      await delay(TIMELINE_POLL_MS, undefined, { signal });
    return facts;
  } catch (cause) {
    if (cause instanceof UnderstudyError) throw cause;
    signal.throwIfAborted();
    throw new UnderstudyError("SQL_FAILED", `cannot ask ${nameOf(source)}: ${messageOf(cause)}`, {
      cause,
    });
  } finally {
    await client.end().catch(() => {});
  }
}

/** The libpq connection string for pg_rewind; the password is in the passfile. */
export function sourceConninfo(
  source: RewindSource,
  with_: { passfile: string; major: Major },
): string {
  const { tls = null, host } = source;
  const { where, how } = conninfoTo(
    { ...source, name: tls?.name ?? host },
    { tls: tls?.files ?? null, major: with_.major },
  );
  const pairs: (readonly [string, string])[] = [
    ...where,
    ["dbname", DATABASE],
    ["user", source.user],
    ["passfile", with_.passfile],
    ["application_name", source.applicationName],
    ...how,
    ["connect_timeout", "5"],
    ["keepalives_idle", "10"],
    ["keepalives_interval", "5"],
    ["keepalives_count", "3"],
  ];
  if (factsOf(with_.major).conninfoBoundsData)
    pairs.push(["gssencmode", "disable"], ["tcp_user_timeout", "20000"]);
  return pairs.map(([key, value]) => `${key}=${quoteConninfo(value)}`).join(" ");
}

/** Of that one login, as renderPassfile() of the settings writes the standbys'. */
export const SOURCE_DATABASE = DATABASE;

async function ask(client: Client): Promise<SourceFacts> {
  const { rows } = await client.query<{ timeline: number; tablespaces: number }>(
    `SELECT (SELECT timeline_id FROM pg_control_checkpoint()) AS timeline,
            (SELECT count(*)::int FROM pg_tablespace
              WHERE spcname NOT IN ('pg_default', 'pg_global')) AS tablespaces`,
  );
  const [row] = rows;
  if (row === undefined) throw new Error("it answered with nothing");
  return row;
}

async function checkpoint(who: RewindSource, signal: AbortSignal): Promise<boolean> {
  try {
    const client = await open(who, signal);
    await client.query("CHECKPOINT").finally(() => client.end());
    return true;
  } catch {
    // Not permitted, or not from here: its own checkpoint after the promotion is waited for.
    signal.throwIfAborted();
    return false;
  }
}

function open(target: RewindSource, signal: AbortSignal): Promise<Client> {
  return connect({
    ...target,
    database: DATABASE,
    queryTimeoutMs: CHECKPOINT_LIMIT_MS,
    signal,
  });
}

function nameOf({ host, port }: RewindSource): string {
  return `${host}:${port}`;
}
