// The model of a data directory: its write-ahead log record by record, and what pg_control and the
// files beside it would tell. Each record has an identity that no protocol can see; by it the
// checkers know which WAL is really the same.
import { lsnFromBigInt, type Lsn } from "../../../src/core/lsn.ts";
import type { TimelineHistory } from "../../../src/core/timeline.ts";

export interface WalRecord {
  /** Its end, in bytes. */
  readonly lsn: number;
  readonly timeline: number;
  /** No other record of the whole run has it. */
  readonly id: number;
}

export interface Ancestor {
  readonly timeline: number;
  readonly switchPoint: number;
}

export interface DataDirectory {
  readonly systemId: string;
  wal: WalRecord[];
  /** So many of its records survive a crash. */
  flushed: number;
  /** The timelines before that of the last record, oldest first. */
  ancestors: readonly Ancestor[];
  /** The highest timeline of which it has a history file: promotion begins the next. */
  knownTimeline: number;
  control: "in production" | "in archive recovery" | "shut down" | "shut down in recovery";
  /** Whether the next start is one as a standby (standby.signal). */
  standbyMode: boolean;
  /** Whom to stream from (primary_conninfo). */
  upstream: string | null;
  /** A base backup that was never started: pg_control tells where it began, not how far it goes. */
  freshCopy: { readonly timeline: number; readonly checkpoint: number } | null;
  /** Whether all of its files are there. The protocol has to know by its marker. */
  isWhole: boolean;
}

/** The end of what is there; recovered after a crash, exactly what `findWalEnd` reads. */
export function endOf(data: DataDirectory): { timeline: number; lsn: number } {
  return data.wal.at(-1) ?? { timeline: 1, lsn: 0 };
}

export function flushedEndOf(data: DataDirectory): number {
  return data.wal[data.flushed - 1]?.lsn ?? 0;
}

/** What is not flushed is gone. */
export function loseUnflushed(data: DataDirectory): void {
  data.wal.length = Math.min(data.wal.length, data.flushed);
}

export function historyOf(data: DataDirectory): TimelineHistory {
  return {
    timeline: endOf(data).timeline,
    ancestors: data.ancestors.map(({ timeline, switchPoint }) => ({
      timeline,
      switchPoint: toLsn(switchPoint),
      reason: "promoted",
    })),
  };
}

/** Whether PostgreSQL itself lets it stream from there: by numbers alone, as it compares them. */
export function mayStream(data: DataDirectory, upstream: DataDirectory): boolean {
  if (data.systemId !== upstream.systemId) return false;
  const end = endOf(data);
  const limit =
    end.timeline === endOf(upstream).timeline
      ? flushedEndOf(upstream)
      : upstream.ancestors.find(({ timeline }) => timeline === end.timeline)?.switchPoint;
  return limit !== undefined && end.lsn <= limit;
}

/** Whether all records of the one are those of the other, up to the one's end. */
export function isPrefix(data: DataDirectory, of: DataDirectory): boolean {
  const last = data.wal.at(-1);
  return last === undefined || of.wal[data.wal.length - 1]?.id === last.id;
}

export function toLsn(lsn: number): Lsn {
  return lsnFromBigInt(BigInt(lsn));
}
