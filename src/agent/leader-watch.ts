// Watches the member that leads, or is named to: whether it is proven to be gone. An event raises
// the suspicion, a witness proves it, and neither is asked while the leader is heard of.
import type { ClusterRecord } from "../core/record.ts";
import type { Clock } from "./clock.ts";
import type { LeaseKeeper } from "./lease-keeper.ts";
import type { Presence } from "./presence.ts";
import type { Witness } from "./witness.ts";
import { WriteGap } from "./write-gap.ts";

/** Of five in a lease; the first may be late for no reason. */
const SUSPICIOUS_FIFTHS = 3;
/** More than a whole lease has gone by unrenewed. */
const EXPIRED_FIFTHS = 8;
/**
 * After a power cut all members come back, but not at one moment: one that was never met is given
 * this long to appear.
 */
const APPEARANCE_MS = 10_000;
/** While it is suspected it is looked at so often. */
const LOOK_AGAIN_MS = 100;

export interface LeaderWatchOptions {
  readonly self: string;
  readonly clock: Clock;
  readonly keeper: Pick<LeaseKeeper, "fifthsOfSilence" | "silentMs">;
  readonly witness: Pick<Witness, "isGone">;
  readonly presence: Presence;
  /**
   * Where the deadline of a leader is its last renewal: its lease has run out a whole lease after
   * that was seen. Where nobody is succeeded by time it is waited for longer, and only awake.
   */
  readonly isTimed?: boolean;
  /** Called when it is time to ask again. */
  readonly wake: () => void;
}

export class LeaderWatch implements Disposable {
  readonly #options: LeaderWatchOptions;
  #timer: Disposable | null = null;
  readonly #gap = new WriteGap();
  /** Since when this member's own server takes no writes because it is to lead no more. */
  #ownEndMs: number | null = null;

  constructor(options: LeaderWatchOptions) {
    this.#options = options;
  }

  /** Whether the one that leads, or that the lease was handed to, is proven to be gone. */
  isGone(record: ClusterRecord | null): boolean {
    this.#noteVacancy(record);
    const { self, presence, witness } = this.#options;
    const watched = watchedIn(record, self);
    const address = watched === null ? undefined : record?.members[watched];
    presence.follow(watched === null || address === undefined ? null : { name: watched, address });
    this.#timer?.[Symbol.dispose]();
    this.#timer = null;
    const leaseHasRunOut = this.#leaseHasRunOut(record);
    const isTimedOut = leaseHasRunOut && this.#options.isTimed === true;
    if (watched === null || record?.paused === true) return false;
    if (!isTimedOut && !this.#isSuspect()) return false;
    if ((isTimedOut || this.#hadItsTime()) && witness.isGone(watched, { leaseHasRunOut }))
      return true;
    const { clock, wake } = this.#options;
    this.#timer = clock.setTimer(LOOK_AGAIN_MS, wake);
    return false;
  }

  /** How long nobody has led, in milliseconds; 0 while somebody does. */
  vacantForMs(): number {
    return this.#gap.vacantForMs(this.#options.clock.nowMs());
  }

  /** For how long the one that is watched has given no sign of life. */
  silentForMs(ttlMs: number): number {
    const { clock, presence } = this.#options;
    if (presence.lostSinceMs !== null) return Math.round(clock.nowMs() - presence.lostSinceMs);
    return Math.round((this.#fifthsOfSilence() * ttlMs) / 5);
  }

  /** This member leads, and its server is about to take no writes any more, or has just ended. */
  noteOwnEnd(): void {
    this.#ownEndMs ??= this.#options.clock.nowMs();
  }

  /** For how long that has been so, once; null when it was not noted. */
  takeOwnEnd(): number | null {
    const endMs = this.#ownEndMs;
    this.#ownEndMs = null;
    return endMs === null ? null : Math.round(this.#options.clock.nowMs() - endMs);
  }

  /** See WriteGap.beforeMs. */
  withoutPrimaryForMs(record: Pick<ClusterRecord, "term" | "ended">): number | null {
    return this.#gap.beforeMs(record, this.#options.clock.nowMs());
  }

  /** Now that writes are accepted: see WriteGap.endMs. */
  endWriteGap(record: Pick<ClusterRecord, "term" | "ended">): number | null {
    return this.#gap.endMs(record, this.#options.clock.nowMs());
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
    this.#options.presence[Symbol.dispose]();
  }

  #noteVacancy(record: ClusterRecord | null): void {
    if (record === null) return;
    const silentMs = () => this.silentForMs(record.ttlMs);
    this.#gap.note(record, { nowMs: this.#options.clock.nowMs(), silentMs });
  }

  #leaseHasRunOut(record: ClusterRecord | null): boolean {
    const { isTimed = false, keeper } = this.#options;
    if (!isTimed) return this.#fifthsOfSilence() >= EXPIRED_FIFTHS;
    return record !== null && keeper.silentMs >= record.ttlMs;
  }

  #isSuspect(): boolean {
    const { lostSinceMs } = this.#options.presence;
    return lostSinceMs !== null || this.#fifthsOfSilence() >= SUSPICIOUS_FIFTHS;
  }

  #hadItsTime(): boolean {
    const { clock, presence } = this.#options;
    if (presence.wasMet) return true;
    return presence.lostSinceMs !== null && clock.nowMs() - presence.lostSinceMs > APPEARANCE_MS;
  }

  #fifthsOfSilence(): number {
    return this.#options.keeper.fifthsOfSilence;
  }
}

/**
 * The leader, or the successor of a switchover. Not a primary that was stopped on request: it is
 * named to come back, and is waited for.
 */
function watchedIn(record: ClusterRecord | null, self: string): string | null {
  if (record === null || record.systemId === null) return null;
  const { leader, heir, history } = record;
  if (leader !== null) return leader.member === self ? null : leader.member;
  return heir === self || heir === history.at(-1)?.member ? null : heir;
}
