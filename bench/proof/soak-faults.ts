// The random faults of a soak, drawn by a seed: which one, to whom, for how long. None of them
// takes a disk away that has what nobody else has, so nothing may ever be lost.
import type { Fault } from "../../src/local/drill/fault.ts";
import { faultOf } from "../../src/local/drill/fault.ts";
import type { Random } from "../../test/simulation/random.ts";
import {
  AGENT_HUNG,
  CRASH_TWICE,
  DATA_GONE,
  POSTMASTER_HUNG,
  POSTMASTER_KILLED,
  agentAndDeadmanKilled,
  agentHungFor,
  agentKilled,
  everythingKilled,
} from "./more-faults.ts";

export interface DrawnFault {
  readonly name: string;
  readonly fault: Fault;
  readonly member: string;
}

interface Choice {
  readonly name: string;
  /** How often, as against the others. */
  readonly weight: number;
  /** Whom it may happen to. */
  readonly to: "primary" | "standby" | "anybody";
  readonly make: (random: Random, members: readonly string[]) => Fault;
}

const CHOICES: readonly Choice[] = [
  { name: "crash", weight: 6, to: "anybody", make: () => faultOf("crash", 0) },
  { name: "postmaster-killed", weight: 3, to: "anybody", make: () => POSTMASTER_KILLED },
  { name: "member-death", weight: 5, to: "anybody", make: () => faultOf("member-death", 0) },
  { name: "switchover", weight: 4, to: "primary", make: () => faultOf("switchover", 0) },
  {
    name: "freeze",
    weight: 3,
    to: "anybody",
    make: (random) => faultOf("freeze", upTo(random, 12)),
  },
  { name: "postmaster-hung", weight: 2, to: "primary", make: () => POSTMASTER_HUNG },
  { name: "agent-hung", weight: 1, to: "primary", make: () => AGENT_HUNG },
  {
    name: "agent-hung-a-while",
    weight: 2,
    to: "anybody",
    make: (random) => agentHungFor(upTo(random, 7)),
  },
  {
    name: "agent-killed",
    weight: 3,
    to: "anybody",
    make: (random) => agentKilled(upTo(random, 3)),
  },
  {
    name: "agent-and-deadman-killed",
    weight: 2,
    to: "anybody",
    make: (random) => agentAndDeadmanKilled(upTo(random, 8)),
  },
  {
    name: "store-outage",
    weight: 2,
    to: "primary",
    make: (random) => faultOf("store-outage", upTo(random, 8)),
  },
  { name: "crash-twice", weight: 2, to: "primary", make: () => CRASH_TWICE },
  { name: "data-gone", weight: 1, to: "standby", make: () => DATA_GONE },
  {
    name: "everything-killed",
    weight: 1,
    to: "primary",
    make: (random, members) => everythingKilled(shuffled(random, members)),
  },
];

export const SOAK_FAULTS = CHOICES.map(({ name }) => name);

/** @param of.only names to draw from; all where there are none */
export function drawFault(
  random: Random,
  of: { primary: string; members: readonly string[]; only: readonly string[] },
): DrawnFault {
  const { primary, members, only } = of;
  const choices = CHOICES.filter(({ name }) => only.length === 0 || only.includes(name));
  const choice = random.pick(
    choices.flatMap((each) => Array.from({ length: each.weight }, () => each)),
  );
  const standbys = members.filter((name) => name !== primary);
  const isPrimary = choice.to === "primary" || (choice.to === "anybody" && random.chance(0.7));
  const member = isPrimary ? primary : random.pick(standbys);
  return { name: choice.name, member, fault: choice.make(random, members) };
}

function upTo(random: Random, seconds: number): number {
  return random.between(500, seconds * 1_000);
}

function shuffled(random: Random, members: readonly string[]): string[] {
  const left = [...members];
  return members.map(() => left.splice(random.between(0, left.length - 1), 1)[0] ?? "");
}
