// For how long nobody could write, as one agent has seen it: from the moment at which the lease
// became free, with what was known of the time before, until somebody takes writes.
import type { ClusterRecord } from "../core/record.ts";

interface Vacancy {
  /** That had ended. */
  readonly term: number;
  readonly sinceMs: number;
  /** For how long the one that led had given no sign of life by then. */
  readonly silentMs: number;
}

export class WriteGap {
  /** Since when nobody leads, and in which term that was. */
  #vacancy: Vacancy | null = null;
  /** The one before the present lead. */
  #last: Vacancy | null = null;
  /** Whose lead has been told how long it had been waited for. */
  #toldTerm: number | null = null;

  /** With each look at the record. @param seen.silentMs of the one that led */
  note(record: ClusterRecord, seen: { nowMs: number; silentMs: () => number }): void {
    if (record.leader !== null) {
      this.#last = this.#vacancy ?? this.#last;
      this.#vacancy = null;
    } else if (this.#vacancy?.term !== record.term)
      this.#vacancy = { term: record.term, sinceMs: seen.nowMs, silentMs: seen.silentMs() };
  }

  /** How long nobody has led, in milliseconds; 0 while somebody does. */
  vacantForMs(nowMs: number): number {
    return this.#vacancy === null ? 0 : nowMs - this.#vacancy.sinceMs;
  }

  /**
   * For how long nobody could write before now, where the lead of that term begins; null where this
   * agent has not seen it. Up to the moment at which the lease was freed it is the word of whoever
   * freed it, else the silence of the one that led.
   */
  beforeMs(record: Pick<ClusterRecord, "term" | "ended">, nowMs: number): number | null {
    const vacancy = this.#vacancy ?? this.#last;
    // Before the first lead there was nobody who could have written.
    if (record.term <= 1) return null;
    if (vacancy?.term !== record.term - 1) return null;
    return (record.ended?.downMs ?? vacancy.silentMs) + Math.round(nowMs - vacancy.sinceMs);
  }

  /**
   * The same, when writes are accepted: once for each term. A primary that starts again in its term
   * had taken writes in between.
   */
  endMs(record: Pick<ClusterRecord, "term" | "ended">, nowMs: number): number | null {
    if (this.#toldTerm === record.term) return null;
    this.#toldTerm = record.term;
    return this.beforeMs(record, nowMs);
  }
}

/** What an event says of it, and its figure for programs. */
export function describeWriteGap(ms: number | null): {
  readonly clause: string;
  readonly secondsWithoutPrimary: number | null;
} {
  if (ms === null) return { clause: "", secondsWithoutPrimary: null };
  const seconds = ms / 1000;
  return {
    clause: `; nobody could write for ${seconds.toFixed(2)} s`,
    secondsWithoutPrimary: seconds,
  };
}
