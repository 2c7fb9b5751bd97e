// Whether a diverged member may be rewound now, which gives up its data as they are, or waits: a
// rewind that is cut off leaves nothing, so members take turns at it, and where that can be the
// primary is not the only one meanwhile that has everything. Pure.
import type { MemberReach } from "../member-status.ts";

/** The step that a member tells of meanwhile. Its data are as they were. */
export const AWAITS_REWIND = "waiting for its turn to be rewound";

/** Another member than this one and its primary, as it tells of itself. */
export interface TurnNeighbour extends Pick<MemberReach, "name" | "role" | "state"> {
  readonly awaitsRewind: boolean;
}

export interface TurnQuestion {
  readonly self: string;
  /** The primary has given it the turn, which one member has at a time. */
  readonly hasTurn: boolean;
  /** Those that answer. */
  readonly others: readonly TurnNeighbour[];
  readonly waitedMs: number;
}

/**
 * What gives no sign of going on is waited for so long, no longer: a member that starts, or that
 * fails again and again, and a turn whose owner does not answer.
 */
export const TURN_PATIENCE_MS = 30_000;

/** @returns what it waits for, as the end of a sentence; null when it may be rewound. */
export function whyNotYetRewound(question: TurnQuestion): string | null {
  const { others, hasTurn } = question;
  const isImpatient = question.waitedMs >= TURN_PATIENCE_MS;
  const rewound = others.find(({ state }) => state === "rewinding");
  if (!hasTurn && rewound !== undefined) return `${rewound.name} is being rewound`;
  if (!hasTurn && !isImpatient) return "another member has the turn";
  if (!hasTurn) return whyNotFirst(question);
  return whyNoOther(question, isImpatient);
}

/** Nobody gives turns any more, so they go by name. */
function whyNotFirst(question: TurnQuestion): string | null {
  const { self, others } = question;
  const first = others.find(({ awaitsRewind, name }) => awaitsRewind && name < self);
  return first === undefined ? whyNoOther(question, true) : `${first.name} goes before it`;
}

/** A server that takes readers is consistent; what waits for its own turn has what it had. */
function whyNoOther({ others }: TurnQuestion, isImpatient: boolean): string | null {
  if (others.some(({ role, awaitsRewind }) => role === "standby" || awaitsRewind)) return null;
  const made = others.find(({ state }) => state === "cloning" || state === "rewinding");
  if (made !== undefined) return `${made.name} is not whole yet`;
  const hoped = isImpatient ? undefined : others.find(({ state }) => state !== "fenced");
  return hoped === undefined ? null : `${hoped.name} does not stream yet`;
}
