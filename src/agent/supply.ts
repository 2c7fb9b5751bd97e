// Where this member's WAL comes from while it is a standby, as its agent remembers it between two
// looks: whom its server was pointed at, since when nothing arrives, and whether another member
// serves it for a while. All of it may be lost: it is then found out anew.
import type { Clock } from "./clock.ts";

/** What a standby that receives nothing is looked at by. */
interface Stall {
  readonly replayLsn: string | null;
  readonly sinceMs: number;
}

export class Supply {
  readonly #clock: Clock;
  #pointedAt: { readonly host: string; readonly port: number } | null = null;
  #stall: Stall | null = null;
  #unusable: { readonly name: string; readonly sinceMs: number } | null = null;
  /** A member that still has WAL which the one that this should stream from has not. */
  diversion: string | null = null;
  /** A standby that could not be copied: the primary is, the next time. */
  uncopied: string | null = null;
  /** When the disk was last read for the end of its WAL, which may take long. */
  lookedMs = -Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Its settings name this address from now on. */
  pointAt(upstream: { readonly host: string; readonly port: number } | null): void {
    this.#pointedAt = upstream;
  }

  /** The member at the address that its settings name; null where none was written yet. */
  upstreamIn(members: Readonly<Record<string, { host: string; port: number }>>): string | null {
    const at = this.#pointedAt;
    if (at === null) return null;
    const found = Object.entries(members).find(
      ([, { host, port }]) => host === at.host && port === at.port,
    );
    return found?.[0] ?? null;
  }

  /** Whether it receives what it should: then nothing is to be looked at more often. */
  get isCalm(): boolean {
    return this.#stall === null;
  }

  /**
   * Called at each look. @returns for how long it has neither received nor replayed anything, in
   * milliseconds; 0 while it streams.
   */
  noteFlow(seen: { isStreaming: boolean; replayLsn: string | null }): number {
    const { isStreaming, replayLsn } = seen;
    if (isStreaming) this.#stall = null;
    else if (this.#stall === null || this.#stall.replayLsn !== replayLsn)
      this.#stall = { replayLsn, sinceMs: this.#clock.nowMs() };
    return this.#stall === null ? 0 : this.#clock.nowMs() - this.#stall.sinceMs;
  }

  /** Called at each look. @returns for how long this upstream has not been able to serve. */
  noteUsable(upstream: string, isUsable: boolean): number {
    if (isUsable) this.#unusable = null;
    else if (this.#unusable?.name !== upstream)
      this.#unusable = { name: upstream, sinceMs: this.#clock.nowMs() };
    return this.#unusable === null ? 0 : this.#clock.nowMs() - this.#unusable.sinceMs;
  }
}
