// What many runs have come to, added up.

export interface Tally {
  readonly seeds: number;
  readonly failed: readonly { readonly seed: number; readonly message: string }[];
  readonly simulatedMs: number;
  readonly recoveredAfterMs: number;
  readonly longestRecoveryMs: number;
  readonly acknowledged: number;
  readonly lostReported: number;
  readonly promotions: number;
}

export function noneYet(): Tally {
  return {
    seeds: 0,
    failed: [],
    simulatedMs: 0,
    recoveredAfterMs: 0,
    longestRecoveryMs: 0,
    acknowledged: 0,
    lostReported: 0,
    promotions: 0,
  };
}

export function add(one: Tally, other: Tally): Tally {
  return {
    seeds: one.seeds + other.seeds,
    failed: [...one.failed, ...other.failed],
    simulatedMs: one.simulatedMs + other.simulatedMs,
    recoveredAfterMs: one.recoveredAfterMs + other.recoveredAfterMs,
    longestRecoveryMs: Math.max(one.longestRecoveryMs, other.longestRecoveryMs),
    acknowledged: one.acknowledged + other.acknowledged,
    lostReported: one.lostReported + other.lostReported,
    promotions: one.promotions + other.promotions,
  };
}
