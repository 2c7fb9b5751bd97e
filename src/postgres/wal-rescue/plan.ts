// Which files a standby needs to go on to the end of a dead server's WAL, and in which order they
// may become visible to it. Pure.
import type { Lsn } from "../../core/lsn.ts";
import { historyFileName, type TimelineHistory } from "../../core/timeline.ts";
import { segmentFileName } from "../wal-page.ts";

export interface RescueRange {
  /** Of the timeline on which the dead server's WAL ends. */
  readonly history: TimelineHistory;
  readonly endLsn: Lsn;
  /** What the standby has: the greater of what it has received and replayed. */
  readonly position: Lsn;
  readonly segmentBytes: number;
}

export interface PlannedSegment {
  readonly name: string;
  /** Where it begins. */
  readonly start: number;
}

/**
 * From the segment that holds the standby's position to the one that holds the last byte, ascending
 * and without a gap. None when the standby has everything.
 */
export function segmentsToRescue(range: RescueRange): readonly PlannedSegment[] {
  const { endLsn, position, segmentBytes } = range;
  if (position >= endLsn) return [];
  const segments: PlannedSegment[] = [];
  // WAL that ends with a segment needs nothing of the next one.
  for (let start = startOf(position, segmentBytes); start < Number(endLsn); start += segmentBytes)
    segments.push({ name: segmentNameIn(range, start), start });
  return segments;
}

/**
 * The segment that holds the last byte before the standby's position: it shows by its content that
 * both servers have the same WAL.
 */
export function segmentBefore(range: Omit<RescueRange, "endLsn">): PlannedSegment {
  const start = startOf(Number(range.position) - 1, range.segmentBytes);
  return { name: segmentNameIn(range, start), start };
}

/**
 * History files of the timelines that the standby does not know yet, the newest first: a server
 * looks for its own timeline's next number, then the next, until there is none. So the last one
 * that is put there shows all of them at once, and no timeline that the dead server had left again
 * is ever the newest.
 */
export function historiesToRescue(of: { known: number; newest: number }): readonly string[] {
  const names: string[] = [];
  for (let timeline = of.newest; timeline > of.known; timeline--)
    names.push(historyFileName(timeline));
  return names;
}

/**
 * A segment in which timelines were left is held whole by the newest that began in it, under that
 * one's name; so the server looks for the newest first (postgres: XLogFileReadAnyTLI).
 */
function segmentNameIn(
  of: { history: TimelineHistory; segmentBytes: number },
  start: number,
): string {
  const { history, segmentBytes } = of;
  const left = history.ancestors.find(
    ({ switchPoint }) => startOf(switchPoint, segmentBytes) > start,
  );
  const timeline = left?.timeline ?? history.timeline;
  return segmentFileName({ timeline, position: start, segmentBytes });
}

function startOf(position: Lsn | number, segmentBytes: number): number {
  return Number(position) - (Number(position) % segmentBytes);
}
