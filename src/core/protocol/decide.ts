// The one clever thing: from what a member sees to what it does. A pure function; the agent is one
// interpreter of its effects.
import { mayTakeLease } from "../record-changes.ts";
import type { ClusterRecord } from "../record.ts";
import { RULES, TABLE, type EffectKind, type RuleName } from "./rules.ts";
import { partOf, type Ground } from "./situation.ts";

export interface Observation {
  readonly self: string;
  /** The newest record that was read, or null when none has been since the agent began. */
  readonly record: ClusterRecord | null;
  readonly ground: Ground;
  /** The member that leads, or is named to, is proven unable to take writes. */
  readonly leaderIsGone: boolean;
  /** This member's server was started again and again, and did not come up. */
  readonly cannotStart: boolean;
  /** This leader's server, which lives, has for a while let nobody new in for want of room. */
  readonly isShutOut: boolean;
}

export interface Decision {
  readonly rule: RuleName;
  readonly effect: EffectKind;
  readonly sentence: string;
}

export function decide(observation: Observation): Decision {
  const rule = ruleFor(observation);
  return { rule, ...RULES[rule] };
}

function ruleFor(observation: Observation): RuleName {
  const { self, record, ground, leaderIsGone } = observation;
  const founding =
    record?.systemId === null && (record.leader?.member === self || mayTakeLease(record, self));
  // Making the data is the one case in which a member without data may lead: only ever before a
  // system identifier is recorded, and only by the member named for it.
  if (founding && isWithoutData(ground))
    return record.leader === null ? "take-named-lease" : "found-the-cluster";
  const part = partOf(record, { self, leaderIsGone });
  // While it is paused somebody may be looking at the server with a debugger.
  if (ground === "held" && record?.paused === true && !part.startsWith("fenced"))
    return "let-it-be-held";
  if (part === "leader" && (ground === "stopped" || ground === "crashed")) {
    if (observation.cannotStart && mayBeSucceeded(observation)) return "cannot-lead";
    if (ground === "crashed" && !mayStepDown(observation)) return TABLE.leader.stopped;
  }
  if (part === "leader" && observation.isShutOut && mayBeSucceeded(observation))
    return "step-down-when-shut-out";
  // A leader that is not writable yet cannot be copied; the record changes when it is.
  if (part === "follower" && record?.leader?.timeline === null && isWithoutData(ground))
    return "await-a-source";
  return TABLE[part][ground];
}

/** Only who was writable in this term: who was not takes the lease to be so. */
function mayStepDown(observation: Observation): boolean {
  const { record } = observation;
  // Not by the leader's position, which its renewals stop to tell when its server ends.
  return mayBeSucceeded(observation) && record?.forks.at(-1)?.term === record?.term;
}

function mayBeSucceeded({ self, record }: Observation): boolean {
  if (record === null || record.paused || record.systemId === null) return false;
  return Object.keys(record.members).some((name) => name !== self);
}

function isWithoutData(ground: Ground): boolean {
  return ground === "nothing" || ground === "half-made";
}
