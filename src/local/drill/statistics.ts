// What a drill's measurements say: gaps, medians, lost rows, rows that two primaries accepted.
// Pure.

/** One row for which a client got its answer. */
export interface Acknowledgement {
  /** Which of the drill's writers sent it; numbers run per writer. */
  readonly writer: number;
  readonly n: number;
  /** Who answered, on which timeline: together they name one reign. */
  readonly member: string;
  readonly timeline: number;
  /** On the drill's clock. */
  readonly atMs: number;
}

/** Consecutive rows of one writer, both ends included. */
export interface RowRange {
  readonly writer: number;
  readonly first: number;
  readonly last: number;
}

export interface Gap {
  readonly fromMs: number;
  readonly toMs: number;
  readonly ms: number;
}

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/**
 * The longest time without any of these moments, between the first of them and `untilMs`: what has
 * not ended by then counts up to there. Null where there is no moment.
 */
export function longestGap(momentsMs: readonly number[], untilMs: number): Gap | null {
  const sorted = momentsMs.toSorted((one, other) => one - other);
  const [first] = sorted;
  if (first === undefined) return null;
  let longest: Gap = { fromMs: first, toMs: first, ms: 0 };
  let fromMs = first;
  for (const toMs of [...sorted, Math.max(untilMs, sorted.at(-1) ?? first)]) {
    if (toMs - fromMs > longest.ms) longest = { fromMs, toMs, ms: toMs - fromMs };
    fromMs = toMs;
  }
  return longest;
}

/** The middle of several measurements: one that was disturbed does not move it. NaN of none. */
export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((one, other) => one - other);
  const middle = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(middle)] ?? NaN) + (sorted[Math.ceil(middle)] ?? NaN)) / 2;
}

/** Null of none. */
export function spreadOf(numbers: readonly number[]): Spread | null {
  if (numbers.length === 0) return null;
  return { median: median(numbers), min: Math.min(...numbers), max: Math.max(...numbers) };
}

/**
 * Acknowledged rows that are in none of the ranges, in the order in which they were acknowledged.
 */
export function missingRows<Row extends Pick<Acknowledgement, "writer" | "n">>(
  acknowledged: readonly Row[],
  present: readonly RowRange[],
): Row[] {
  const byWriter = Map.groupBy(present, ({ writer }) => writer);
  for (const ranges of byWriter.values()) ranges.sort((one, other) => one.first - other.first);
  return acknowledged.filter(({ writer, n }) => !isWithin(byWriter.get(writer) ?? [], n));
}

/** Ranges of one writer, in order, none overlapping another. */
function isWithin(ranges: readonly RowRange[], n: number): boolean {
  let [from, to] = [0, ranges.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    const range = ranges[middle];
    if (range === undefined) return false;
    if (n < range.first) to = middle;
    else if (n > range.last) from = middle + 1;
    else return true;
  }
  return false;
}

/**
 * Rows that were acknowledged in a reign (one member on one timeline) after a later one had begun
 * to acknowledge: then there were two primaries.
 */
export function acceptedTwice(acknowledged: readonly Acknowledgement[]): Acknowledgement[] {
  const begun = new Map<string, number>();
  for (const row of acknowledged) {
    const reign = reignOf(row);
    begun.set(reign, Math.min(begun.get(reign) ?? Infinity, row.atMs));
  }
  const beginnings = [...begun.values()].toSorted((one, other) => one - other);
  const endOf = new Map(
    [...begun].map(([reign, since]) => [reign, beginnings.find((atMs) => atMs > since)]),
  );
  return acknowledged.filter((row) => row.atMs > (endOf.get(reignOf(row)) ?? Infinity));
}

function reignOf({ member, timeline }: Acknowledgement): string {
  return `${timeline} ${member}`;
}
