// The protocol as a table: for each part and each ground exactly one rule, and for each rule one
// effect and one sentence for people. Complete by type: a missing cell does not compile
// (docs/protocol.md is generated from it).
import type { Ground, Part } from "./situation.ts";

/** What an agent can be told to do. It does one at a time; each is bounded and can be cancelled. */
export type EffectKind =
  | "wait"
  | "take-lease"
  | "bootstrap"
  | "give-up-lease"
  | "step-down"
  | "open-election"
  | "stand"
  | "start"
  | "promote"
  | "lead"
  | "clone"
  | "rejoin"
  | "follow"
  | "stop"
  | "fence"
  | "resign"
  | "retire";

export interface Rule {
  readonly effect: EffectKind;
  /** For people: what is done and why. */
  readonly sentence: string;
}

export const RULES = {
  "keep-without-record": {
    effect: "wait",
    sentence: "The store does not answer; nothing is changed because of that.",
  },
  "await-the-record": {
    effect: "wait",
    sentence: "The store has not answered yet; nothing is started before it has.",
  },
  "let-it-start": {
    effect: "wait",
    sentence: "PostgreSQL is starting or recovering; it is given the time it needs.",
  },
  "let-it-be-held": {
    effect: "wait",
    sentence: "PostgreSQL was stopped by a signal; whoever did that is to let it go on.",
  },
  "end-held-server": {
    effect: "stop",
    sentence:
      "PostgreSQL of this primary was stopped by a signal and serves nobody: it is ended, and a standby takes over.",
  },
  "let-it-stop": { effect: "wait", sentence: "PostgreSQL is stopping." },
  "found-the-cluster": {
    effect: "bootstrap",
    sentence: "The cluster has no data yet and this member is to make it.",
  },
  "data-is-gone": {
    effect: "give-up-lease",
    sentence:
      "This member was the primary, but its data is gone: it gives up the lease and changes nothing.",
  },
  "step-down-after-crash": {
    effect: "step-down",
    sentence:
      "PostgreSQL of this primary has crashed: a standby takes over, which is sooner than its recovery; where none can, it starts again.",
  },
  "step-down-when-shut-out": {
    effect: "step-down",
    sentence:
      "PostgreSQL of this primary lets nobody new in because its disk is full: where a standby has room it is ended, and a standby takes over.",
  },
  "cannot-lead": {
    effect: "open-election",
    sentence: "PostgreSQL of this primary does not start: its lease is free for a standby.",
  },
  "start-before-promotion": {
    effect: "start",
    sentence: "The lease is this member's; it starts as a standby first, as every start does.",
  },
  "promote-under-lease": {
    effect: "promote",
    sentence: "The lease is this member's: it replays all that it has and becomes the primary.",
  },
  lead: {
    effect: "lead",
    sentence: "This member is the primary and keeps the others' slots and roles in order.",
  },
  "take-named-lease": {
    effect: "take-lease",
    sentence: "The lease is free and this member is the one named to take it.",
  },
  "leader-is-gone": {
    effect: "open-election",
    sentence: "The primary is proven to be gone: its lease is free for the best standby.",
  },
  "stand-for-election": {
    effect: "stand",
    sentence:
      "Nobody leads: the standby that has the most WAL saves what the old primary's disk still has and takes the lease.",
  },
  "cannot-inherit": {
    effect: "wait",
    sentence: "This member is named as the next primary but has no data to lead with.",
  },
  "copy-the-primary": {
    effect: "clone",
    sentence: "This member has no data: it copies the primary.",
  },
  "copy-again": {
    effect: "clone",
    sentence: "A copy was left half made: it is thrown away and begun anew.",
  },
  "hands-off": {
    effect: "wait",
    sentence: "The data directory is of another cluster or unreadable: nothing is touched.",
  },
  rejoin: {
    effect: "rejoin",
    sentence:
      "Another member is the primary: this one compares its WAL with the primary's history, then follows, is rewound or is copied anew.",
  },
  follow: { effect: "follow", sentence: "This member streams from the primary." },
  "fence-old-primary": {
    effect: "stop",
    sentence:
      "Another member leads, or the lease is gone: this one must not take writes any longer.",
  },
  reopen: {
    effect: "stop",
    sentence:
      "It was started or asked to be promoted, and is not to be promoted now: it starts again as a standby.",
  },
  "start-and-wait": {
    effect: "start",
    sentence: "Nobody leads yet: this member starts read-only and waits.",
  },
  "await-a-primary": {
    effect: "wait",
    sentence: "Nobody leads: this member serves reads and waits for a primary.",
  },
  "await-a-source": {
    effect: "wait",
    sentence: "This member has no data and there is no primary to copy.",
  },
  "fence-member": {
    effect: "fence",
    sentence:
      "A person has fenced this member: its PostgreSQL is stopped, by force where it does not stop.",
  },
  "stay-fenced": {
    effect: "wait",
    sentence: "A person has fenced this member: its PostgreSQL stays stopped until it is unfenced.",
  },
  "resign-when-fenced": {
    effect: "resign",
    sentence:
      "A person has fenced this primary and its PostgreSQL is stopped: its lease is free for the best standby.",
  },
  retire: {
    effect: "retire",
    sentence: "This member was removed from the cluster: it stops and keeps its data.",
  },
} as const satisfies Record<string, Rule>;

export type RuleName = keyof typeof RULES;

export const TABLE: Readonly<Record<Part, Readonly<Record<Ground, RuleName>>>> = {
  unknown: {
    nothing: "await-the-record",
    "half-made": "await-the-record",
    foreign: "hands-off",
    stopped: "await-the-record",
    crashed: "await-the-record",
    starting: "keep-without-record",
    closed: "keep-without-record",
    standby: "keep-without-record",
    primary: "keep-without-record",
    held: "let-it-be-held",
    stopping: "let-it-stop",
  },
  leader: {
    nothing: "data-is-gone",
    "half-made": "data-is-gone",
    foreign: "data-is-gone",
    stopped: "start-before-promotion",
    crashed: "step-down-after-crash",
    starting: "promote-under-lease",
    closed: "promote-under-lease",
    standby: "promote-under-lease",
    primary: "lead",
    held: "end-held-server",
    stopping: "let-it-stop",
  },
  heir: {
    nothing: "cannot-inherit",
    "half-made": "cannot-inherit",
    foreign: "hands-off",
    stopped: "take-named-lease",
    crashed: "take-named-lease",
    starting: "take-named-lease",
    closed: "take-named-lease",
    standby: "take-named-lease",
    primary: "fence-old-primary",
    held: "end-held-server",
    stopping: "let-it-stop",
  },
  follower: {
    nothing: "copy-the-primary",
    "half-made": "copy-again",
    foreign: "hands-off",
    stopped: "rejoin",
    crashed: "rejoin",
    starting: "let-it-start",
    closed: "reopen",
    standby: "follow",
    primary: "fence-old-primary",
    held: "let-it-be-held",
    stopping: "let-it-stop",
  },
  bereaved: {
    nothing: "await-a-source",
    "half-made": "await-a-source",
    foreign: "hands-off",
    stopped: "leader-is-gone",
    crashed: "leader-is-gone",
    starting: "let-it-start",
    closed: "leader-is-gone",
    standby: "leader-is-gone",
    primary: "fence-old-primary",
    held: "let-it-be-held",
    stopping: "let-it-stop",
  },
  candidate: {
    nothing: "await-a-source",
    "half-made": "await-a-source",
    foreign: "hands-off",
    stopped: "start-and-wait",
    crashed: "stand-for-election",
    starting: "let-it-start",
    closed: "reopen",
    standby: "stand-for-election",
    primary: "fence-old-primary",
    held: "let-it-be-held",
    stopping: "let-it-stop",
  },
  waiting: {
    nothing: "await-a-source",
    "half-made": "await-a-source",
    foreign: "hands-off",
    stopped: "start-and-wait",
    crashed: "start-and-wait",
    starting: "let-it-start",
    closed: "reopen",
    standby: "await-a-primary",
    primary: "fence-old-primary",
    held: "let-it-be-held",
    stopping: "let-it-stop",
  },
  fenced: {
    nothing: "stay-fenced",
    "half-made": "stay-fenced",
    foreign: "stay-fenced",
    stopped: "stay-fenced",
    crashed: "stay-fenced",
    starting: "fence-member",
    closed: "fence-member",
    standby: "fence-member",
    primary: "fence-member",
    held: "fence-member",
    stopping: "fence-member",
  },
  "fenced-leader": {
    nothing: "resign-when-fenced",
    "half-made": "resign-when-fenced",
    foreign: "resign-when-fenced",
    stopped: "resign-when-fenced",
    crashed: "resign-when-fenced",
    starting: "fence-member",
    closed: "fence-member",
    standby: "fence-member",
    primary: "fence-member",
    held: "fence-member",
    stopping: "fence-member",
  },
  removed: {
    nothing: "retire",
    "half-made": "retire",
    foreign: "retire",
    stopped: "retire",
    crashed: "retire",
    starting: "retire",
    closed: "retire",
    standby: "retire",
    primary: "retire",
    held: "let-it-be-held",
    stopping: "let-it-stop",
  },
};
