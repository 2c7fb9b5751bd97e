// What a run is about to meet: a list of faults and more, drawn from the seed before it begins, so
// that the run can be repeated with some of it left out.
import type { SyncPolicy } from "../../src/core/record.ts";
import {
  LATER_WEIGHTS,
  MOMENTS,
  WEIGHTS,
  type Fault,
  type FaultKind,
  type Moment,
} from "./faults.ts";
import { CALM, type Weather } from "./model/network.ts";
import { Random } from "./random.ts";
import {
  FIRST_THEME_NAMES,
  LATER_THEME_NAMES,
  themeOf,
  type Emphasis,
  type Theme,
  type ThemeName,
} from "./themes.ts";

export interface Plan {
  readonly theme: ThemeName;
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
const SIZE = [2, 5] as const;
const FIRST_FAULT_MS = 12_000;
const LAST_FAULT_MS = 109_000;
const HEAL_AT_MS = 110_000;
const MOMENT_NAMES = Object.keys(MOMENTS) as readonly Moment[];
const FIRST_OF_THEME_MS = [7_000, 12_000] as const;
const AT_A_MOMENT = 0.5;
/** Of the plans. */
const WITH_A_THEME = 0.5;
/** Of all plans: one that the others do not draw from. */
const WITH_A_LATER_THEME = 0.15;
/** Of the others. */
const WITH_LATER_FAULTS = 0.25;
/** Of the faults of a plan that has one. */
const OF_ITS_THEME = 0.7;
export const FEWEST_FAULTS = 5;
const WEATHERS: readonly Weather[] = [
  CALM,
  CALM,
  CALM,
  { lost: 0.01, doubled: 0.01, slow: 0.03, slowMs: 500 },
  { lost: 0.04, doubled: 0.04, slow: 0.08, slowMs: 1_500 },
];

/** @param theme another than the seed's own */
export function planOf(seed: number, theme?: ThemeName): Plan {
  const random = new Random(seed, 1);
  if (theme !== undefined) return drawPlan(random, theme);
  // What was not drawn in the beginning is drawn from a stream of its own.
  const later = new Random(seed, 3);
  const isLater = later.chance(WITH_A_LATER_THEME);
  if (isLater) return drawPlan(random, later.pick(LATER_THEME_NAMES));
  const plan = drawPlan(random);
  return later.chance(WITH_LATER_FAULTS) ? withLaterFaults(plan, later) : plan;
}

function withLaterFaults(plan: Plan, random: Random): Plan {
  const of = { members: plan.members, theme: themeOf("anything"), mayWait: false };
  const later = Array.from({ length: random.between(1, 4) }, () => ({
    ...drawFault(random, of),
    kind: drawKind(random, LATER_WEIGHTS),
  }));
  return { ...plan, faults: inOrder([...plan.faults, ...later]) };
}

function drawPlan(random: Random, asked?: ThemeName): Plan {
  const drawnTheme = random.chance(WITH_A_THEME) ? random.pick(FIRST_THEME_NAMES) : "anything";
  const name = asked ?? drawnTheme;
  const theme = themeOf(name);
  const size = random.between(...(theme.size ?? SIZE));
  const members = NAMES.slice(0, size);
  const count = random.between(theme.faults.length > 0 ? 9 : FEWEST_FAULTS, 14);
  // A moment may never come: so many faults wait for none.
  const drawn = Array.from({ length: count }, (_, place) =>
    drawFault(random, { members, theme, mayWait: place >= FEWEST_FAULTS }),
  );
  // What commits wait for takes time to simulate, and hides what goes wrong without it.
  const isEverSync = theme.sync === undefined ? random.chance(0.7) : theme.sync.mode === "on";
  const first = (theme.first ?? []).map((emphasis) => drawFirst(random, { members, emphasis }));
  const faults = [...first, ...drawn].map((fault) => withoutSync(fault, isEverSync));
  const drift = random.pick([0.000_2, 0.000_2, 0.1]);
  return {
    theme: name,
    members,
    spares: NAMES.slice(size),
    ttlMs: random.pick([2_000, 5_000, 10_000]),
    sync: {
      ...drawSync(random, { size, isOn: isEverSync && random.chance(0.75) }),
      ...theme.sync,
    },
    weather: random.pick(WEATHERS),
    clockRates: Object.fromEntries(
      NAMES.map((each) => [each, 1 + (random.next() - 0.5) * 2 * drift]),
    ),
    rewinders: random.chance(0.2) ? [] : NAMES.filter(() => random.chance(0.9)),
    faults: inOrder(faults),
    healAtMs: HEAL_AT_MS,
  };
}

function inOrder(faults: readonly Fault[]): readonly Fault[] {
  return faults.toSorted((one, other) => one.atMs - other.atMs);
}

function drawFirst(
  random: Random,
  { members, emphasis }: { members: readonly string[]; emphasis: Emphasis },
): Fault {
  const { kind, whom } = emphasis;
  const drawn = drawFault(random, { members, theme: themeOf("anything"), mayWait: false });
  const atMs = random.between(...FIRST_OF_THEME_MS);
  return { ...drawn, kind, atMs, member: whom ?? drawn.member, moment: null };
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

function drawFault(
  random: Random,
  of: { members: readonly string[]; theme: Theme; mayWait: boolean },
): Fault {
  const emphasized = of.theme.faults.filter(({ moments }) => of.mayWait || moments === undefined);
  const isOfTheme = emphasized.length > 0 && random.chance(OF_ITS_THEME);
  const emphasis: Partial<Emphasis> = isOfTheme ? random.pick(emphasized) : {};
  const { kind = drawKind(random, WEIGHTS), whom, moments = null, lastsMs } = emphasis;
  // Rarely one that was not there at first, and may have been added.
  const named = random.pick(random.chance(0.9) ? of.members : NAMES);
  const member = whom ?? (random.chance(0.5) ? "the primary" : named);
  const other = random.pick(NAMES.filter((name) => name !== member));
  const waits = moments !== null || random.chance(AT_A_MOMENT);
  return {
    atMs: drawTime(random),
    moment: of.mayWait && waits ? random.pick(moments ?? MOMENT_NAMES) : null,
    kind,
    member,
    other,
    lastsMs: lastsMs === undefined ? drawDuration(random) : random.between(...lastsMs),
    dice: random.between(1, 1 << 30),
  };
}

/** Faults meet more often than they would by themselves: two in one moment are the hard ones. */
function drawTime(random: Random): number {
  const drawnMs = random.between(FIRST_FAULT_MS, LAST_FAULT_MS);
  const isTogether = random.chance(0.5);
  return isTogether ? Math.round(drawnMs / 20_000) * 20_000 + (drawnMs % 1_500) : drawnMs;
}

function drawDuration(random: Random): number {
  return random.chance(0.3) ? random.between(10, 2_000) : random.between(2_000, 40_000);
}

function drawKind(random: Random, weights: Partial<Record<FaultKind, number>>): FaultKind {
  const kinds = Object.keys(weights) as readonly FaultKind[];
  const weightOf = (kind: FaultKind): number => weights[kind] ?? 0;
  let left = random.next() * kinds.reduce((sum, kind) => sum + weightOf(kind), 0);
  for (const kind of kinds) {
    left -= weightOf(kind);
    if (left < 0) return kind;
  }
  return "agent crashes";
}
