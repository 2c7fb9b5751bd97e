// What goes wrong in a run, and what a person asks for meanwhile: a list drawn from the seed before
// it begins, so that a run can be repeated with some of it left out.
import type { SyncPolicy } from "../../src/core/record.ts";
import { CALM, type Weather } from "./model/network.ts";
import type { Random } from "./random.ts";

/** How often each comes, in parts. */
const WEIGHTS = {
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

export type FaultKind = keyof typeof WEIGHTS;

export const FAULT_KINDS = Object.keys(WEIGHTS) as readonly FaultKind[];

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
  service: "a primary lets applications in",
} as const satisfies Record<string, string>;

export type Moment = keyof typeof MOMENTS;

export interface Fault {
  readonly atMs: number;
  /** It waits for the next of these, for a while; null: it happens at once. */
  readonly moment: Moment | null;
  readonly kind: FaultKind;
  /**
   * Whom it meets; "the primary" is whoever leads at that moment, or whom the moment it waited for
   * is about.
   */
  readonly member: string | "the primary";
  /** The other of two. */
  readonly other: string;
  /** Until it ends by itself. */
  readonly lastsMs: number;
  /** For what else it draws, so that it does not change what others draw. */
  readonly dice: number;
}

export interface Plan {
  readonly members: readonly string[];
  /** Not members at first. */
  readonly spares: readonly string[];
  readonly ttlMs: number;
  /** What is wanted at first. */
  readonly sync: SyncPolicy;
  /** Of the network while nothing is the matter with it. */
  readonly weather: Weather;
  /** How fast each machine's clock runs. */
  readonly clockRates: Readonly<Record<string, number>>;
  /** Whose installation has pg_rewind. */
  readonly rewinders: readonly string[];
  readonly faults: readonly Fault[];
  /** Faults that still last end here; from then on all must become well. */
  readonly healAtMs: number;
}

const SYNC_CHANGE = "synchronous replication is changed" satisfies FaultKind;
const NAMES = ["una", "duo", "tre", "quad", "quin"];
const FIRST_FAULT_MS = 12_000;
const LAST_FAULT_MS = 109_000;
const HEAL_AT_MS = 110_000;
const MOMENT_NAMES = Object.keys(MOMENTS) as readonly Moment[];
const AT_A_MOMENT = 0.5;
export const FEWEST_FAULTS = 5;
const WEATHERS: readonly Weather[] = [
  CALM,
  CALM,
  CALM,
  { lost: 0.01, doubled: 0.01, slow: 0.03, slowMs: 500 },
  { lost: 0.04, doubled: 0.04, slow: 0.08, slowMs: 1_500 },
];

export function drawPlan(random: Random): Plan {
  const size = random.between(2, 5);
  const members = NAMES.slice(0, size);
  const count = random.between(FEWEST_FAULTS, 14);
  // A moment may never come: so many faults wait for none.
  const drawn = Array.from({ length: count }, (_, place) =>
    drawFault(random, { members, mayWait: place >= FEWEST_FAULTS }),
  );
  // What commits wait for takes time to simulate, and hides what goes wrong without it.
  const isEverSync = random.chance(0.7);
  const faults = drawn.map((fault) => withoutSync(fault, isEverSync));
  const drift = random.pick([0.000_2, 0.000_2, 0.1]);
  return {
    members,
    spares: NAMES.slice(size),
    ttlMs: random.pick([2_000, 5_000, 10_000]),
    sync: drawSync(random, { size, isOn: isEverSync && random.chance(0.75) }),
    weather: random.pick(WEATHERS),
    clockRates: Object.fromEntries(
      NAMES.map((name) => [name, 1 + (random.next() - 0.5) * 2 * drift]),
    ),
    rewinders: random.chance(0.2) ? [] : NAMES.filter(() => random.chance(0.9)),
    faults: faults.sort((one, other) => one.atMs - other.atMs),
    healAtMs: HEAL_AT_MS,
  };
}

function drawSync(random: Random, of: { size: number; isOn: boolean }): SyncPolicy {
  return {
    mode: of.isOn ? "on" : "off",
    required: random.between(1, Math.min(2, of.size - 1)),
    whenUnavailable: random.chance(0.6) ? "block" : "degrade",
  };
}

function withoutSync(fault: Fault, isEverSync: boolean): Fault {
  return isEverSync || fault.kind !== SYNC_CHANGE ? fault : { ...fault, kind: "agent crashes" };
}

/** Whether anything in it is about what commits wait for. */
export function usesSync({ sync, faults }: Plan): boolean {
  return sync.mode === "on" || faults.some(({ kind }) => kind === SYNC_CHANGE);
}

function drawFault(random: Random, of: { members: readonly string[]; mayWait: boolean }): Fault {
  const kind = drawKind(random);
  // Rarely one that was not there at first, and may have been added.
  const named = random.pick(random.chance(0.9) ? of.members : NAMES);
  const member = random.chance(0.5) ? "the primary" : named;
  const other = random.pick(NAMES.filter((name) => name !== member));
  // Faults meet more often than they would by themselves: two in one moment are the hard ones.
  const drawnMs = random.between(FIRST_FAULT_MS, LAST_FAULT_MS);
  const atMs = random.chance(0.5)
    ? Math.round(drawnMs / 20_000) * 20_000 + (drawnMs % 1_500)
    : drawnMs;
  const lastsMs = random.chance(0.3) ? random.between(10, 2_000) : random.between(2_000, 40_000);
  const waits = random.chance(AT_A_MOMENT);
  const moment = of.mayWait && waits ? random.pick(MOMENT_NAMES) : null;
  return { atMs, moment, kind, member, other, lastsMs, dice: random.between(1, 1 << 30) };
}

const WEIGHT = Object.values(WEIGHTS).reduce((sum, weight) => sum + weight, 0);

function drawKind(random: Random): FaultKind {
  let left = random.next() * WEIGHT;
  for (const kind of FAULT_KINDS) {
    left -= WEIGHTS[kind];
    if (left < 0) return kind;
  }
  return "agent crashes";
}

const OF_TWO: ReadonlySet<FaultKind> = new Set([
  "two are lost with their disks",
  "network is cut between two",
  "network is cut in one direction",
  "network is slow",
  "network loses messages",
]);
const TO_ANOTHER: ReadonlySet<FaultKind> = new Set([
  "switchover is asked for",
  "switchover is asked for twice",
  "member is added",
]);
const OF_ALL: ReadonlySet<FaultKind> = new Set([
  "everything is killed",
  "store does not answer",
  "store is slow",
  "store's messages are lost",
  "cluster is paused",
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
  "synchronous replication is changed",
  "switchover is asked for",
  "switchover is asked for twice",
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
  const when = moment === null ? "" : `, when ${MOMENTS[moment]},`;
  return `at ${(atMs / 1_000).toFixed(1)} s${when} ${kind}${whom}${long}`;
}
