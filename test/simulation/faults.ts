// What goes wrong in a run, and what a person asks for meanwhile: the kinds of it, when it comes,
// and how it is told to people.

/** How often each comes, in parts. */
export const WEIGHTS = {
  "agent crashes": 9,
  "agent and deadman are killed": 5,
  "agent is paused": 8,
  "member is frozen": 6,
  "PostgreSQL is killed": 10,
  "postmaster alone is killed": 5,
  "postmaster is stopped by a signal": 5,
  "backend crashes": 4,
  "member is killed whole": 14,
  "everything is killed": 4,
  "data directory is lost": 4,
  "member is lost with its disk": 4,
  "two are lost with their disks": 3,
  "disk is full": 6,
  "store does not answer": 4,
  "store is cut from one member": 5,
  "store does not hear one member": 3,
  "one member does not hear the store": 4,
  "store is slow": 4,
  "store's messages are lost": 4,
  "network is cut between two": 5,
  "network is cut in one direction": 5,
  "member is cut off from the others": 4,
  "network is slow": 4,
  "network loses messages": 4,
  "wall clock jumps": 8,
  "switchover is asked for": 13,
  "switchover is asked for twice": 2,
  "cluster is paused": 5,
  "member is added": 5,
  "member is removed": 4,
  "member is stopped for a while": 4,
  "member is restarted": 3,
  "member is copied anew": 3,
  "synchronous replication is changed": 8,
  "member is fenced": 4,
  "member's tags are changed": 4,
} as const satisfies Record<string, number>;

/** What plans draw beside these, from another stream: so that those of old seeds stay. */
export const LATER_WEIGHTS = {
  "member's upstream is changed": 6,
  "connections are all taken": 2,
  "switchover is scheduled": 4,
  "scheduled switchover is cancelled": 1,
} as const satisfies Record<string, number>;

export type FaultKind = keyof typeof WEIGHTS | keyof typeof LATER_WEIGHTS;

export const FAULT_KINDS = Object.keys({ ...WEIGHTS, ...LATER_WEIGHTS }) as readonly FaultKind[];

/** When a fault does most harm: in the middle of a step. */
export const MOMENTS = {
  election: "an election is opened",
  lease: "a member takes the lease",
  promotion: "a member is promoted",
  primary: "a member becomes writable",
  start: "a server starts",
  copy: "a member is being copied or rewound",
  switchover: "a switchover begins",
  handover: "the lease is handed over",
  promise: "what is promised of commits changes",
  firstPromise: "something is promised of commits where nothing was",
  service: "a primary lets applications in",
} as const satisfies Record<string, string>;

/** For which only themes have faults wait, and no other plan. */
export const LATER_MOMENTS = {
  due: "the time of a scheduled switchover comes",
} as const satisfies Record<string, string>;

const ALL_MOMENTS = { ...MOMENTS, ...LATER_MOMENTS };

export type Moment = keyof typeof ALL_MOMENTS;

/** Who that is turns out when it happens. */
export type Whom = "the primary" | "a standby" | "an upstream";

export interface Fault {
  readonly atMs: number;
  /** It waits for the next of these, for a while; null: it happens at once. */
  readonly moment: Moment | null;
  readonly kind: FaultKind;
  /**
   * Whom it meets; "the primary" is whoever leads at that moment, or whom the moment it waited for
   * is about; "an upstream" is a standby that another is to stream from.
   */
  readonly member: string | Whom;
  /** The other of two. */
  readonly other: string;
  /** Until it ends by itself. */
  readonly lastsMs: number;
  /** For what else it draws, so that it does not change what others draw. */
  readonly dice: number;
}

const OF_TWO: ReadonlySet<FaultKind> = new Set([
  "two are lost with their disks",
  "network is cut between two",
  "network is cut in one direction",
  "network is slow",
  "network loses messages",
  "member's upstream is changed",
]);
const TO_ANOTHER: ReadonlySet<FaultKind> = new Set([
  "switchover is asked for",
  "switchover is asked for twice",
  "switchover is scheduled",
  "member is added",
]);
const OF_ALL: ReadonlySet<FaultKind> = new Set([
  "everything is killed",
  "store does not answer",
  "store is slow",
  "store's messages are lost",
  "cluster is paused",
  "scheduled switchover is cancelled",
  "synchronous replication is changed",
]);
const OF_A_MOMENT: ReadonlySet<FaultKind> = new Set([
  "agent crashes",
  "PostgreSQL is killed",
  "postmaster alone is killed",
  "backend crashes",
  "data directory is lost",
  "wall clock jumps",
  "member's tags are changed",
  "member's upstream is changed",
  "synchronous replication is changed",
  "switchover is asked for",
  "switchover is asked for twice",
  "switchover is scheduled",
  "scheduled switchover is cancelled",
  "member is added",
  "member is removed",
  "member is restarted",
  "member is copied anew",
]);

export function describeFault({ atMs, moment, kind, member, other, lastsMs }: Fault): string {
  const whom = OF_TWO.has(kind)
    ? `: ${member} and ${other}`
    : TO_ANOTHER.has(kind)
      ? `: ${other}`
      : OF_ALL.has(kind)
        ? ""
        : `: ${member}`;
  const long = OF_A_MOMENT.has(kind) ? "" : `, for ${(lastsMs / 1_000).toFixed(1)} s`;
  const when = moment === null ? "" : `, when ${ALL_MOMENTS[moment]},`;
  return `at ${(atMs / 1_000).toFixed(1)} s${when} ${kind}${whom}${long}`;
}
