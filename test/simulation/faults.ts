// What goes wrong in a run: a list drawn from the seed before it begins, so that a run can be
// repeated with some of it left out.
import type { Random } from "./random.ts";

export type FaultKind =
  | "agent crashes"
  | "agent is paused"
  | "PostgreSQL is killed"
  | "postmaster alone is killed"
  | "backend crashes"
  | "member is killed whole"
  | "everything is killed"
  | "data directory is lost"
  | "store does not answer"
  | "store is cut from one member"
  | "store is slow"
  | "store loses answers"
  | "network is cut between two"
  | "wall clock jumps"
  | "switchover is asked for";

export interface Fault {
  readonly atMs: number;
  readonly kind: FaultKind;
  /** Whom it meets; "the primary" is whoever leads at that moment. */
  readonly member: string | "the primary";
  /** The other of two. */
  readonly other: string;
  /** Until it ends by itself. */
  readonly lastsMs: number;
}

export interface Plan {
  readonly members: readonly string[];
  readonly ttlMs: number;
  readonly faults: readonly Fault[];
  /** Faults that still last end here; from then on all must become well. */
  readonly healAtMs: number;
}

/** How often each comes, in parts. */
const WEIGHTS: Readonly<Record<FaultKind, number>> = {
  "agent crashes": 10,
  "agent is paused": 8,
  "PostgreSQL is killed": 10,
  "postmaster alone is killed": 5,
  "backend crashes": 4,
  "member is killed whole": 14,
  "everything is killed": 2,
  "data directory is lost": 3,
  "store does not answer": 5,
  "store is cut from one member": 6,
  "store is slow": 5,
  "store loses answers": 6,
  "network is cut between two": 6,
  "wall clock jumps": 8,
  "switchover is asked for": 13,
};
const FIRST_FAULT_MS = 12_000;
const LAST_FAULT_MS = 109_000;
const HEAL_AT_MS = 110_000;

export function drawPlan(random: Random): Plan {
  const members = ["una", "duo", "tre", "quad", "quin"].slice(0, random.between(2, 5));
  const count = random.between(5, 12);
  const faults = Array.from({ length: count }, () => drawFault(random, members));
  return {
    members,
    ttlMs: random.pick([2_000, 5_000, 10_000]),
    faults: faults.sort((one, other) => one.atMs - other.atMs),
    healAtMs: HEAL_AT_MS,
  };
}

function drawFault(random: Random, members: readonly string[]): Fault {
  const kind = drawKind(random);
  const member = random.chance(0.5) ? "the primary" : random.pick(members);
  const other = random.pick(members);
  // Faults meet more often than they would by themselves: two in one moment are the hard ones.
  const moment = random.between(FIRST_FAULT_MS, LAST_FAULT_MS);
  const atMs = random.chance(0.5)
    ? Math.round(moment / 20_000) * 20_000 + (moment % 1_500)
    : moment;
  const lastsMs = random.chance(0.3) ? random.between(10, 2_000) : random.between(2_000, 40_000);
  return { atMs, kind, member, other, lastsMs };
}

function drawKind(random: Random): FaultKind {
  const kinds = Object.entries(WEIGHTS) as [FaultKind, number][];
  let left = random.next() * kinds.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [kind, weight] of kinds) {
    left -= weight;
    if (left < 0) return kind;
  }
  return "agent crashes";
}

export function describeFault({ atMs, kind, member, other, lastsMs }: Fault): string {
  const whom = kind === "network is cut between two" ? `${member} and ${other}` : member;
  return `${(atMs / 1_000).toFixed(1)} s: ${kind} (${whom}; for ${(lastsMs / 1_000).toFixed(1)} s)`;
}
