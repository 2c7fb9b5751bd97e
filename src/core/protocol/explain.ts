// A rule in words: what is done, why, and in which situations. For `understudy explain` and for
// docs/protocol.md.
import { ORDERS, type Order } from "./orders.ts";
import { RULES, TABLE, type EffectKind, type RuleName } from "./rules.ts";
import { GROUNDS, PARTS, type Ground, type Part } from "./situation.ts";

export interface RuleExplanation {
  readonly rule: RuleName | Order;
  /** Null for what is done because a person said so. */
  readonly effect: EffectKind | null;
  readonly sentence: string;
  /** Of the table; a rule that stands beside it has none. */
  readonly cells: readonly { readonly part: Part; readonly ground: Ground }[];
  /** When a rule fires that the table does not tell. */
  readonly beside: string | null;
}

/** What decide() looks at before the table. */
const BESIDE: Partial<Readonly<Record<RuleName, string>>> = {
  "found-the-cluster":
    "The record has no system identifier yet, this member holds the lease, and has no data.",
  "step-down-when-shut-out":
    "This member holds the lease, for five seconds its disk is full and its server, which lives, turns every login away because it recovers or by an error of its own, the cluster is not paused, and there are other members.",
  "cannot-lead":
    "This member holds the lease, its server was started three times in vain, the cluster is not paused, and there are other members.",
  "start-before-promotion":
    "Also after a crash, where this member was not writable in this term, is the only one, or the cluster is paused.",
  "await-a-source": "Also for a member without data whose leader is not writable yet.",
};

/** What each part means, for people. */
export const PART_MEANINGS: Readonly<Record<Part, string>> = {
  unknown: "the store has not answered since the agent began",
  leader: "the lease is this member's",
  heir: "the lease is free, and this member is the one named to take it",
  follower: "another member leads",
  bereaved: "the one that leads, or is named to, is proven unable to take writes",
  candidate: "nobody leads, and the best standby may take the lease",
  waiting: "nobody leads, and it is for another to take the lease",
  fenced: "a person has fenced it",
  "fenced-leader":
    "a person has fenced it, and the lease is still its own, or it is named to take it",
  removed: "the record has no such member",
};

/** What each ground means, for people. */
export const GROUND_MEANINGS: Readonly<Record<Ground, string>> = {
  nothing: "there is no data",
  "half-made": "a copy or a rewind was begun and not finished",
  foreign: "the data is of another system, or cannot be read",
  stopped: "PostgreSQL does not run",
  crashed: "PostgreSQL does not run, and was writable when it ended",
  starting: "PostgreSQL lives and takes no connections yet",
  closed: "PostgreSQL is in recovery and takes no readers",
  standby: "PostgreSQL is in recovery and takes readers",
  primary: "PostgreSQL takes writes",
  held: "PostgreSQL was stopped by a signal",
  stopping: "PostgreSQL is shutting down",
};

/** What makes one part of a member another. */
export const PART_CHANGES: readonly {
  readonly from: Part;
  readonly to: Part;
  readonly by: string;
}[] = [
  { from: "unknown", to: "follower", by: "the store answers" },
  { from: "heir", to: "leader", by: "it takes the lease" },
  { from: "leader", to: "waiting", by: "it hands over, or stops, and names who is next" },
  { from: "leader", to: "candidate", by: "its server crashed, does not start or has no data" },
  { from: "follower", to: "bereaved", by: "a witness proves that the leader is gone" },
  { from: "bereaved", to: "candidate", by: "it frees the lease" },
  { from: "bereaved", to: "follower", by: "the leader is heard of again" },
  { from: "candidate", to: "leader", by: "it has won and takes the lease" },
  { from: "candidate", to: "follower", by: "another has won" },
  { from: "candidate", to: "waiting", by: "a person pauses, or takes the choice" },
  { from: "waiting", to: "heir", by: "it is named" },
  { from: "waiting", to: "follower", by: "the one named takes the lease" },
  { from: "follower", to: "waiting", by: "the leader hands over or stops" },
  { from: "follower", to: "fenced", by: "a person fences it" },
  { from: "leader", to: "fenced-leader", by: "a person fences it" },
  { from: "fenced-leader", to: "fenced", by: "its server is stopped and it frees the lease" },
  { from: "fenced", to: "follower", by: "a person unfences it" },
  { from: "follower", to: "removed", by: "a person removes it" },
];

/** The rules, then the orders of persons. */
export function explainAll(): readonly RuleExplanation[] {
  const orders = Object.entries(ORDERS) as [Order, string][];
  return [
    ...explainRules(),
    ...orders.map(([rule, sentence]) => ({
      rule,
      effect: null,
      sentence,
      cells: [],
      beside: null,
    })),
  ];
}

/** In the order of the rules' own table. */
export function explainRules(): readonly (RuleExplanation & { readonly effect: EffectKind })[] {
  return ruleNames().map((rule) => ({
    rule,
    effect: RULES[rule].effect,
    sentence: RULES[rule].sentence,
    cells: PARTS.flatMap((part) =>
      GROUNDS.filter((ground) => TABLE[part][ground] === rule).map((ground) => ({ part, ground })),
    ),
    beside: BESIDE[rule] ?? null,
  }));
}

function ruleNames(): RuleName[] {
  return Object.keys(RULES) as RuleName[];
}
