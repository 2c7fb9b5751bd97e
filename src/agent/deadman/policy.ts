// What moves the deadman's deadline, and the clock on which it is counted. Both processes read the
// same clock; never the wall clock, which is set.
import { uptime } from "node:os";

/**
 * - `confirmed-renewals`: only a renewal that the store has confirmed moves it, counted from before
 *   the renewal was sent. For stores between hosts: whoever cannot renew will be succeeded by time.
 * - `own-liveness`: the agent moves it for as long as its own loop turns. For one machine, where
 *   nobody is succeeded by time (decision 0005) and a store that does not answer demotes nobody.
 */
export type DeadlinePolicy = "confirmed-renewals" | "own-liveness";

export function isDeadlinePolicy(value: unknown): value is DeadlinePolicy {
  return value === "confirmed-renewals" || value === "own-liveness";
}

/**
 * Milliseconds since boot, alike in all processes. `confirmed-renewals` counts while the machine
 * sleeps (CLOCK_BOOTTIME, to 10 ms), as others go on then; `own-liveness` does not
 * (CLOCK_MONOTONIC): a laptop that wakes has nobody who went on without it.
 */
export function nowMs(policy: DeadlinePolicy): number {
  return policy === "confirmed-renewals"
    ? uptime() * 1_000
    : Number(process.hrtime.bigint() / 1_000n) / 1_000;
}

/**
 * How long before its end a lease counts as over: the time that killing takes (0.3 s with 200
 * clients on 2 cores, postgres-facts 5), and the coarse clock. Where nobody takes over by time
 * there is no hurry, and a busy machine gets all of it.
 */
export function marginMs(policy: DeadlinePolicy, ttlMs: number): number {
  return policy === "confirmed-renewals" ? ttlMs / 5 : 0;
}

/**
 * What an agent gets to be heard after its deadman itself stood still over the deadline, as when
 * both are in a container that was paused. None where others take over by time.
 */
export function graceMs(policy: DeadlinePolicy): number {
  return policy === "confirmed-renewals" ? 0 : 2_000;
}

/** A timer does not run while the machine sleeps: so often the deadman looks at such a clock. */
export function longestSleepMs(policy: DeadlinePolicy): number {
  return policy === "confirmed-renewals" ? 100 : Infinity;
}
