// What all checkers share: the invariants by name, what they may look at, and how they object. They
// see from outside, by the identity of each WAL record, which no agent can see, and are independent
// of the code under test.
import type { ClusterRecord } from "../../../src/core/record.ts";
import type { Moment } from "../faults.ts";
import type { ModelServer } from "../model/server.ts";

/** With the numbers of the design's section 5, or of docs/protocol.md ("I", "P"). */
export const INVARIANTS = {
  "one writable": "1: at any instant at most one member takes writes",
  "commits of one count": "1: nobody acknowledges a commit after another was promoted",
  "acknowledged commits stay": "I3: what was acknowledged is on every later primary, or was told",
  "a promise is kept":
    "I7: what is acknowledged while a promise is in force is on the primary and on k of S",
  "nobody is shown what is on no standby":
    "I8: a primary lets nobody in before k standbys have all that it has",
  "no more is lost than must be": "I3: nobody is chosen who lacks what another has",
  "terms rise": "3: terms rise, one leader each",
  "the newest term is obeyed": "3: a member acts for no term but the newest that it knows",
  "never started writable": "P1: a server is never started but in recovery",
  "nothing is done blindly":
    "P2: nothing is started, copied or promoted before the record is known",
  "no primary is stopped for nothing": "P2: as when the store does not answer",
  "the living are not succeeded": "P3: nobody is declared gone who lives beside a live agent",
  "a pause is kept": "P4: nothing fails over while a person has paused the cluster",
  "all is well in the end": "4: one primary, and every live member streams from it",
  "no rejoining without end": "5: no loops of copies, rewinds and starts",
  "no half-copied directory is started": "5",
  "no orphans beside a server": "I1: no server is started beside what is left of its predecessor",
  "diverged data is not destroyed silently": "5, I5",
  "rewinds take turns": "I10: nobody is rewound while another is and no third has all",
  "the newest that was set aside stays": "I5: what is kept is bounded, the oldest gives way",
  "a schedule ends with its primary":
    "who scheduled a switchover had another primary in mind than the one that leads since",
  "who lets nobody in gives way":
    "4: a primary that turns every login away is succeeded where a standby has room",
  "nobody waits for an upstream that is gone":
    "4: while the standby that it is to stream from is dead it streams from the primary",
  "nobody streams what is not its history": "I4: a member that has diverged does not follow",
} as const satisfies Record<string, string>;

export type Invariant = keyof typeof INVARIANTS;

export interface Violation {
  readonly invariant: Invariant;
  readonly message: string;
  readonly atMs: number;
}

/** What a checker may look at. */
export interface View {
  readonly servers: ReadonlyMap<string, ModelServer>;
  nowMs(): number;
  storedRecord(): ClusterRecord;
  /** Whether it takes writes, and its agent is at work. */
  isAtWork(member: string): boolean;
  /** What people read on the clock of its machine. */
  wallMs(member: string): number;
  /** Whether its agent lives and is not paused. */
  answers(member: string): boolean;
  /** Something begins in which a fault does much harm. */
  moment(moment: Moment, about: string): void;
  note(who: string, text: string): void;
  fail(invariant: Invariant, message: string): void;
}
