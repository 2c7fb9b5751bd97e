// What many runs have come to, added up.
import type { FaultKind } from "./faults.ts";
import type { RunResult } from "./world.ts";

/** What is simply added. */
const SUMS = [
  "simulatedMs",
  "recoveredAfterMs",
  "acknowledged",
  "lostReported",
  "promised",
  "promises",
  "promotions",
  "elections",
  "failovers",
  "switchovers",
  "copies",
  "rewinds",
  "starts",
] as const;

type Sums = Readonly<Record<(typeof SUMS)[number], number>>;

export interface Tally extends Sums {
  readonly seeds: number;
  readonly failed: readonly { readonly seed: number; readonly message: string }[];
  readonly longestRecoveryMs: number;
  /** In any of them. */
  readonly fewestFaults: number;
  /** Of all processes that ran them. */
  readonly cpuMs: number;
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>;
}

export function noneYet(): Tally {
  return {
    ...sumsOf(() => 0),
    seeds: 0,
    failed: [],
    longestRecoveryMs: 0,
    fewestFaults: Number.MAX_SAFE_INTEGER,
    cpuMs: 0,
    faults: {},
  };
}

export function tallyOf(seed: number, result: RunResult): Tally {
  const { violation, recoveredAfterMs, faults } = result;
  return {
    ...sumsOf((name) => result[name]),
    seeds: 1,
    failed:
      violation === null
        ? []
        : [{ seed, message: `"${violation.invariant}": ${violation.message}` }],
    longestRecoveryMs: recoveredAfterMs,
    // One that was ended by a violation had no time for all.
    fewestFaults:
      violation === null
        ? Object.values(faults).reduce((sum, times) => sum + times, 0)
        : Number.MAX_SAFE_INTEGER,
    cpuMs: 0,
    faults,
  };
}

export function add(one: Tally, other: Tally): Tally {
  return {
    ...sumsOf((name) => one[name] + other[name]),
    seeds: one.seeds + other.seeds,
    failed: [...one.failed, ...other.failed],
    longestRecoveryMs: Math.max(one.longestRecoveryMs, other.longestRecoveryMs),
    fewestFaults: Math.min(one.fewestFaults, other.fewestFaults),
    cpuMs: one.cpuMs + other.cpuMs,
    faults: addFaults(one.faults, other.faults),
  };
}

function addFaults(one: Tally["faults"], other: Tally["faults"]): Tally["faults"] {
  const sum: Record<string, number> = { ...one };
  for (const [kind, count] of Object.entries(other)) sum[kind] = (sum[kind] ?? 0) + count;
  return sum;
}

function sumsOf(value: (name: (typeof SUMS)[number]) => number): Sums {
  return Object.fromEntries(SUMS.map((name) => [name, value(name)])) as Record<
    (typeof SUMS)[number],
    number
  >;
}
