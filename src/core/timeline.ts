// Timelines: each promotion starts a new one, and its history file tells where it left its parents
// (manual, 25.3.5 "Timelines"). Divergence is decided by these positions, never by comparing
// numbers (lesson 19).
import { UnderstudyError } from "./errors.ts";
import { parseLsn, type Lsn } from "./lsn.ts";

export interface TimelineHistory {
  /** The timeline that the history belongs to. */
  readonly timeline: number;
  /** Its ancestors, oldest first: `switchPoint` is where the next timeline left this one. */
  readonly ancestors: readonly {
    readonly timeline: number;
    readonly switchPoint: Lsn;
    readonly reason: string;
  }[];
}

/** Timeline 1 has no history file. */
export const FIRST_TIMELINE: TimelineHistory = { timeline: 1, ancestors: [] };

/**
 * Reads a history file ("1\t0/3000060\tno recovery target specified"). It has no limit on its
 * number of entries (lesson 52).
 *
 * PostgreSQL names as parent the timeline that recovery headed for, reached or not: where a standby
 * was promoted before it got there, the switch points fall (seen on 15). No timeline was left later
 * than those after it, so each counts only up to the least of theirs.
 * @throws UnderstudyError INTERNAL when a line is malformed.
 */
export function parseTimelineHistory(file: { timeline: number; text: string }): TimelineHistory {
  const ancestors = [];
  for (const line of file.text.split("\n")) {
    if (line.trim() === "" || line.startsWith("#")) continue;
    const match = /^\s*(\d+)\s+([0-9A-Fa-f]+\/[0-9A-Fa-f]+)\s*(.*)$/.exec(line);
    if (!match)
      throw new UnderstudyError(
        "INTERNAL",
        `the history of timeline ${file.timeline} has the malformed line ${JSON.stringify(line)}`,
      );
    const [, timeline = "", switchPoint = "", reason = ""] = match;
    ancestors.push({ timeline: Number(timeline), switchPoint: parseLsn(switchPoint), reason });
  }
  return { timeline: file.timeline, ancestors: withRisingSwitchPoints(ancestors) };
}

function withRisingSwitchPoints(
  ancestors: TimelineHistory["ancestors"],
): TimelineHistory["ancestors"] {
  let least: Lsn | null = null;
  return ancestors
    .toReversed()
    .map(({ timeline, switchPoint, reason }) => {
      least = least === null || switchPoint < least ? switchPoint : least;
      return { timeline, switchPoint: least, reason };
    })
    .toReversed();
}

/** Whether a timeline and its history are the other's own, or those of one of its ancestors. */
export function isBeginningOf(history: TimelineHistory, of: TimelineHistory): boolean {
  const path = [...of.ancestors.map(({ timeline }) => timeline), of.timeline];
  return (
    path[history.ancestors.length] === history.timeline &&
    history.ancestors.every(({ timeline, switchPoint }, place) => {
      const theirs = of.ancestors[place];
      return theirs?.timeline === timeline && theirs.switchPoint === switchPoint;
    })
  );
}

/** "0000002A.history". */
export function historyFileName(timeline: number): string {
  return `${timeline.toString(16).toUpperCase().padStart(8, "0")}.history`;
}

/** Where a member that ended on some timeline stands in relation to a new primary's history. */
export type Relation =
  /** Everything it has is in the primary's history: it can simply stream. */
  | { kind: "behind" }
  /** It has WAL that the primary's history does not: rewind or reclone. */
  | { kind: "diverged"; switchPoint: Lsn; bytes: number }
  /** It is on a timeline that the primary's history does not name. */
  | { kind: "unrelated" };

/**
 * Compares the end of a member's WAL with the primary's history. Exact, with nothing started
 * (measured on 10 to 18: diverged if and only if the end lies beyond the switch point).
 */
export function relationTo(
  primary: { history: TimelineHistory; writeLsn: Lsn },
  member: { timeline: number; endLsn: Lsn },
): Relation {
  const limit =
    member.timeline === primary.history.timeline
      ? primary.writeLsn
      : primary.history.ancestors.find((ancestor) => ancestor.timeline === member.timeline)
          ?.switchPoint;
  if (limit === undefined) return { kind: "unrelated" };
  if (member.endLsn <= limit) return { kind: "behind" };
  return { kind: "diverged", switchPoint: limit, bytes: Number(member.endLsn - limit) };
}
