// What a drill found, as data: for the table, for --json and for the picture.
import { API_VERSION } from "../../core/spec.ts";
import type { MemberChange, RecordLook } from "./cluster-watch.ts";
import { spreadOf, type Acknowledgement, type Gap, type Spread } from "./statistics.ts";

/** Times are milliseconds from the moment of the fault. */
export interface DrillEvent {
  readonly atMs: number;
  /** Null: of the drill itself. */
  readonly member: string | null;
  /**
   * Of the members' own: as in `understudy events`. The drill's are "fault", "undone" and
   * "streams-again".
   */
  readonly event: string;
  readonly message: string;
}

export interface DrillRound {
  readonly round: number;
  /** Wall clock, RFC 3339 UTC: the moment of the fault. */
  readonly at: string;
  /** Who led before, and whom it happened to. */
  readonly from: string;
  /** Who leads at the end; null when nobody does. */
  readonly to: string | null;
  readonly term: { readonly before: number; readonly after: number };
  readonly timeline: { readonly before: number | null; readonly after: number | null };
  readonly writes: {
    readonly acknowledged: number;
    /** The longest time between two acknowledged writes; null when there was none at all. */
    readonly gap: Gap | null;
    /** Writes that ended with an error, or without an answer. */
    readonly failed: number;
  };
  /** The worst of the readers. */
  readonly reads: { readonly answered: number; readonly gap: Gap | null };
  /** Acknowledged rows that the present primary has not; null when they could not be counted. */
  readonly lost: number | null;
  /**
   * Rows that the old primary accepted when the new one already did; and how many of those are
   * lost.
   */
  readonly doubled: number;
  readonly doubledAndLost: number | null;
  /** Rows that are there more than once. */
  readonly repeated: number;
  /**
   * How long until the old primary streamed again, and after what; null where it does not, or need
   * not.
   */
  readonly rejoin: {
    readonly ms: number;
    readonly after: string;
    readonly how: "streamed on" | "rewound" | "copied anew";
  } | null;
  /** WAL that only the old primary had, as its agent reported. */
  readonly diverged: { readonly bytes: number | null; readonly kept: string | null } | null;
  /** Every member streams or leads, and the record is at rest. */
  readonly cameBack: boolean;
  readonly events: readonly DrillEvent[];
}

/** What the picture is drawn from, beside the round. */
export interface DrillSeries {
  readonly writes: readonly Pick<Acknowledgement, "member" | "atMs" | "writer">[];
  readonly readsMs: readonly (readonly number[])[];
  readonly members: readonly MemberChange[];
  readonly records: readonly RecordLook[];
  readonly fromMs: number;
  readonly toMs: number;
}

export interface DrillReport {
  readonly apiVersion: typeof API_VERSION;
  readonly kind: "DrillReport";
  readonly cluster: string;
  /** One of the drill's faults, or what a benchmark calls its own. */
  readonly fault: string;
  readonly postgresVersion: string | null;
  readonly members: readonly string[];
  readonly sync: "off" | "on";
  /** Nothing lost, nothing accepted twice, and everybody came back, in every round. */
  readonly passed: boolean;
  readonly rounds: readonly DrillRound[];
  readonly summary: {
    readonly writeGapMs: Spread | null;
    readonly readGapMs: Spread | null;
    readonly rejoinMs: Spread | null;
    readonly acknowledged: number;
    /** Null when it could not be counted in some round. */
    readonly lost: number | null;
    readonly doubled: number;
    readonly repeated: number;
  };
  /** What the drill could not tidy up, each as a sentence. */
  readonly left: readonly string[];
}

export function reportOf(
  facts: Pick<
    DrillReport,
    "cluster" | "fault" | "postgresVersion" | "members" | "sync" | "rounds" | "left"
  >,
): DrillReport {
  const { rounds } = facts;
  const lost = rounds.map((round) => round.lost);
  return {
    apiVersion: API_VERSION,
    kind: "DrillReport",
    ...facts,
    passed: rounds.length > 0 && rounds.every((round) => hasPassed(round)),
    summary: {
      writeGapMs: spreadOf(rounds.flatMap(({ writes }) => writes.gap?.ms ?? [])),
      readGapMs: spreadOf(rounds.flatMap(({ reads }) => reads.gap?.ms ?? [])),
      rejoinMs: spreadOf(rounds.flatMap(({ rejoin }) => rejoin?.ms ?? [])),
      acknowledged: sum(rounds.map(({ writes }) => writes.acknowledged)),
      lost: lost.includes(null) ? null : sum(lost.map((count) => count ?? 0)),
      doubled: sum(rounds.map(({ doubled }) => doubled)),
      repeated: sum(rounds.map(({ repeated }) => repeated)),
    },
  };
}

export function hasPassed(round: DrillRound): boolean {
  return round.lost === 0 && round.doubled === 0 && round.repeated === 0 && round.cameBack;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
