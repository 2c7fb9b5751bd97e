// Asks a server over the replication protocol who it is and how its timelines went (manual, 55.4).
import { FIRST_TIMELINE, parseTimelineHistory, type TimelineHistory } from "../core/timeline.ts";
import { parseLsn, type Lsn } from "../core/lsn.ts";
import { UnderstudyError } from "../core/errors.ts";
import { connect, type ConnectOptions } from "./connect.ts";

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

async function fetchTimeline(
  client: Awaited<ReturnType<typeof connect>>,
  timeline: number,
): Promise<TimelineHistory> {
  const answer = await client.query(`TIMELINE_HISTORY ${timeline}`);
  const row: Record<string, unknown> | undefined = answer.rows[0];
  // A Buffer or a string, by the type that the major gives the column; both print as the file's text.
  return parseTimelineHistory({ timeline, text: String(row?.["content"] ?? "") });
}
