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

/** A history file: the timelines before that one, oldest first. */
export interface History {
  readonly timeline: number;
  readonly ancestors: readonly Ancestor[];
}

export interface DataDirectory {
  readonly systemId: string;
  wal: WalRecord[];
  /** So many of its records survive a crash. */
  flushed: number;
  /** The timelines before that of the last record, oldest first. */
  ancestors: readonly Ancestor[];
  /**
   * The history file of the highest number that it has: its own timeline's, or one that was fetched
   * or begun and never reached. Recovery heads for it, and promotion begins the next.
   */
  newest: History;
  control: "in production" | "in archive recovery" | "shut down" | "shut down in recovery";
  /** Whether the next start is one as a standby (standby.signal). */
  standbyMode: boolean;
  /** Whom to stream from (primary_conninfo). */
  upstream: string | null;
  /** Members for which it has a slot: no standby streams from it without its own. */
  slots: Set<string>;
  /** A base backup that was never started: pg_control tells where it began, not how far it goes. */
  freshCopy: { readonly timeline: number; readonly checkpoint: number } | null;
  /** When it was copied from another; for the checkers alone. */
  readonly madeAtMs: number;
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

export function flushUpTo(data: DataDirectory, id: number): void {
  const place = data.wal.findLastIndex((record) => record.id === id);
  data.flushed = Math.max(data.flushed, place + 1);
}

/** What is not flushed is gone. */
export function loseUnflushed(data: DataDirectory): void {
  data.wal.length = Math.min(data.wal.length, data.flushed);
}

/** As it is read: no timeline was left later than those after it. */
export function historyOf(data: DataDirectory): TimelineHistory {
  return {
    timeline: endOf(data).timeline,
    ancestors: data.ancestors.map(({ timeline }, place) => ({
      timeline,
      switchPoint: toLsn(
        Math.min(...data.ancestors.slice(place).map(({ switchPoint }) => switchPoint)),
      ),
      reason: "promoted",
    })),
  };
}

/** Whether a history is the beginning of another, as the files tell. */
export function isBeginningOf(history: History, of: History): boolean {
  const path = [...of.ancestors.map(({ timeline }) => timeline), of.timeline];
  return (
    path[history.ancestors.length] === history.timeline &&
    history.ancestors.every(
      ({ timeline, switchPoint }, place) =>
        of.ancestors[place]?.timeline === timeline &&
        of.ancestors[place].switchPoint === switchPoint,
    )
  );
}

/**
 * Whether PostgreSQL itself lets it stream from there, by numbers alone, as it compares them
 * (WalReceiverMain, StartReplication): the timeline that it asks for is the one of its position in
 * the history that recovery heads for, which may be one that nobody has any more.
 */
export function mayStream(
  data: DataDirectory,
  of: { readonly target: History; readonly upstream: DataDirectory },
): boolean {
  const { target, upstream } = of;
  if (data.systemId !== upstream.systemId) return false;
  const { lsn } = endOf(data);
  const timeline = timelineAt(target, lsn);
  const { timeline: current } = endOf(upstream);
  if (timeline > current) return false;
  // The upstream would send what it never had: a timeline that it says to have left later.
  const rises = upstream.ancestors.every(
    ({ switchPoint }, place) =>
      switchPoint <= (upstream.ancestors[place + 1]?.switchPoint ?? Infinity),
  );
  if (!rises && timeline < current) return false;
  const begins = upstream.ancestors.findLast((each) => each.timeline < timeline)?.switchPoint ?? 0;
  const ends =
    timeline === current
      ? flushedEndOf(upstream)
      : upstream.ancestors.find((each) => each.timeline === timeline)?.switchPoint;
  return ends !== undefined && begins <= lsn && lsn <= ends;
}

/** At a switch point the next one begins. */
function timelineAt(history: History, lsn: number): number {
  return (
    history.ancestors.find(({ switchPoint }) => lsn < switchPoint)?.timeline ?? history.timeline
  );
}

/** Whether recovery may head for another timeline now: one that goes on from the one before. */
export function leadsOn(
  from: History,
  to: { readonly history: History; readonly lsn: number },
): boolean {
  const left = to.history.ancestors.find(({ timeline }) => timeline === from.timeline);
  return left !== undefined && to.lsn <= left.switchPoint;
}

/** The history file of the timeline that it is on. */
export function ownHistory(data: DataDirectory): History {
  return { timeline: endOf(data).timeline, ancestors: data.ancestors };
}

/** Whether all records of the one are those of the other, up to the one's end. */
export function isPrefix(data: DataDirectory, of: DataDirectory): boolean {
  const last = data.wal.at(-1);
  return last === undefined || of.wal[data.wal.length - 1]?.id === last.id;
}

export function toLsn(lsn: number): Lsn {
  return lsnFromBigInt(BigInt(lsn));
}
