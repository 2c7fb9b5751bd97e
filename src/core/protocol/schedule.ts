// A switchover for which a person has named a time: whether that has come, by the wall clock of the
// primary's agent. Pure; the time is handed in.
import type { ClusterRecord } from "../record.ts";

export type Scheduled = NonNullable<ClusterRecord["scheduled"]>;

/**
 * Whoever asked for three at night does not want it at noon, because the machine was off: later
 * than this it is not done at all.
 */
export const LATE_LIMIT_MS = 5 * 60_000;

export type Due =
  | { readonly kind: "waiting"; readonly inMs: number }
  | { readonly kind: "due" }
  | { readonly kind: "late"; readonly byMs: number };

/** @param nowMs wall clock, milliseconds since 1970. A time that cannot be read is long past. */
export function dueOf({ at }: Scheduled, nowMs: number): Due {
  const atMs = Date.parse(at);
  if (Number.isNaN(atMs)) return { kind: "late", byMs: nowMs };
  if (nowMs < atMs) return { kind: "waiting", inMs: atMs - nowMs };
  const byMs = nowMs - atMs;
  return byMs > LATE_LIMIT_MS ? { kind: "late", byMs } : { kind: "due" };
}

export function isSameSchedule(one: Scheduled | null, other: Scheduled | null): boolean {
  return one?.at === other?.at && one?.to === other?.to;
}

/** Part of a sentence: "a switchover to demo-2". */
export function describeScheduled({ to }: Scheduled): string {
  return to === null ? "a switchover to the best standby" : `a switchover to ${to}`;
}
