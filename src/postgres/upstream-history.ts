// Asks a server over the replication protocol who it is and how its timelines went (manual, 55.4).
import { FIRST_TIMELINE, parseTimelineHistory, type TimelineHistory } from "../core/timeline.ts";
import { parseLsn, type Lsn } from "../core/lsn.ts";
import { UnderstudyError, codeOf } from "../core/errors.ts";
import { connect, type ConnectOptions } from "./connect.ts";

/** SQLSTATE. */
const UNDEFINED_FILE = "58P01";

export interface UpstreamHistory {
  readonly systemId: string;
  readonly history: TimelineHistory;
  /** What it had flushed when it was asked. */
  readonly writeLsn: Lsn;
}

/** @throws UnderstudyError CONNECTION_FAILED or SQL_FAILED. */
export async function fetchUpstreamHistory(
  target: Omit<ConnectOptions, "replication">,
): Promise<UpstreamHistory> {
  const client = await connect({ ...target, replication: true });
  try {
    await refuseRecovery(client, target);
    const identity = await client.query("IDENTIFY_SYSTEM");
    const row: Record<string, unknown> | undefined = identity.rows[0];
    if (row === undefined)
      throw new UnderstudyError("SQL_FAILED", "IDENTIFY_SYSTEM was answered by nothing");
    const timeline = Number(row["timeline"]);
    return {
      systemId: String(row["systemid"]),
      history: timeline === 1 ? FIRST_TIMELINE : await fetchTimeline(client, timeline),
      writeLsn: parseLsn(String(row["xlogpos"])),
    };
  } finally {
    await client.end().catch(() => {});
  }
}

/**
 * Whether it still has the history of a timeline: a standby asks for each that it has not got.
 * @throws UnderstudyError CONNECTION_FAILED.
 */
export async function hasTimelineHistory(
  target: Omit<ConnectOptions, "replication">,
  timeline: number,
): Promise<boolean> {
  const client = await connect({ ...target, replication: true });
  try {
    return await fetchTimeline(client, timeline).then(
      () => true,
      (thrown: unknown) => {
        if (codeOf(thrown) === UNDEFINED_FILE) return false;
        throw thrown;
      },
    );
  } finally {
    await client.end().catch(() => {});
  }
}

/** In recovery its position is what it has replayed, which says nothing about its end. */
async function refuseRecovery(
  client: Awaited<ReturnType<typeof connect>>,
  target: { host: string; port: number },
): Promise<void> {
  const answer = await client.query("SHOW transaction_read_only");
  const row: Record<string, unknown> | undefined = answer.rows[0];
  if (row?.["transaction_read_only"] === "off") return;
  throw new UnderstudyError(
    "CONNECTION_FAILED",
    `the server at ${target.host}:${target.port} is in recovery and no primary yet`,
  );
}

async function fetchTimeline(
  client: Awaited<ReturnType<typeof connect>>,
  timeline: number,
): Promise<TimelineHistory> {
  const answer = await client.query(`TIMELINE_HISTORY ${timeline}`);
  const row: Record<string, unknown> | undefined = answer.rows[0];
  // A Buffer or a string, by the type that the major gives the column; both print as the file's
  // text.
  return parseTimelineHistory({ timeline, text: String(row?.["content"] ?? "") });
}
