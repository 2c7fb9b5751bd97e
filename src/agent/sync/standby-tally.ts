// Who of the standbys counts for synchronous replication, as the primary has seen them come and go.
// What is away for a moment is not gone. Plain data; the time is given.
import type { SyncView } from "../../core/protocol/sync-set.ts";
import type { StandbyStream } from "./standbys.ts";

/** A standby that has not streamed for so long is taken out of the set, where others are left. */
const AWAY_MS = 5_000;
/** Too few standbys for so long are too few. */
const SHORT_MS = 5_000;
/** With less than this to catch up with, nobody waits long for a standby. */
const READY_BYTES = 16 * 1024 * 1024;

export class StandbyTally {
  readonly #seenMs = new Map<string, number>();
  readonly #vouched = new Set<string>();
  #term: number | null = null;
  #streams: readonly StandbyStream[] = [];
  #shortSinceMs: number | null = null;

  /** Of another term nothing that was seen before counts. */
  begin(term: number): void {
    if (this.#term === term) return;
    this.#term = term;
    this.#seenMs.clear();
    this.#vouched.clear();
    this.#streams = [];
    this.#shortSinceMs = null;
  }

  /** @param of.eligible members that commits may wait for */
  see(
    streams: readonly StandbyStream[],
    of: { eligible: readonly string[]; wanted: number; nowMs: number },
  ): void {
    const { eligible, wanted, nowMs } = of;
    this.#streams = streams.filter(({ name, ownsSlot }) => ownsSlot && eligible.includes(name));
    for (const name of this.#seenMs.keys()) if (!eligible.includes(name)) this.#seenMs.delete(name);
    for (const { name } of this.#streams)
      if (this.#vouched.has(name)) this.#seenMs.set(name, nowMs);
    const isShort = this.#counted().length < wanted;
    this.#shortSinceMs = isShort ? (this.#shortSinceMs ?? nowMs) : null;
  }

  /** Who streams but has not said yet that it knows whose timeline that is. */
  get unvouched(): readonly string[] {
    return this.#streams.map(({ name }) => name).filter((name) => !this.#vouched.has(name));
  }

  /**
   * Its agent has noted on disk which term began the timeline that it streams: without that an
   * election could take what it has for an older leader's.
   */
  vouch(name: string, nowMs: number): void {
    this.#vouched.add(name);
    this.#seenMs.set(name, nowMs);
  }

  view(nowMs: number): Pick<SyncView, "live" | "ready" | "isShort"> {
    const counted = this.#counted();
    return {
      live: [...this.#seenMs].filter(([, ms]) => nowMs - ms < AWAY_MS).map(([name]) => name),
      ready: counted.filter(isReady).map(({ name }) => name),
      isShort: this.#shortSinceMs !== null && nowMs - this.#shortSinceMs >= SHORT_MS,
    };
  }

  /** What they have on disk. */
  get streams(): readonly StandbyStream[] {
    return this.#counted();
  }

  #counted(): readonly StandbyStream[] {
    return this.#streams.filter(({ name }) => this.#vouched.has(name));
  }
}

function isReady({ lagBytes }: StandbyStream): boolean {
  return lagBytes !== null && lagBytes <= READY_BYTES;
}
