// What people are told of a store that does not answer: by every agent in its log, and by the one
// that leads among its events, once for each outage.
import type { ClusterRecord } from "../core/record.ts";
import type { Clock } from "./clock.ts";
import type { Journal } from "./journal.ts";

export interface StoreOutageOptions {
  readonly member: string;
  readonly clock: Clock;
  readonly log: Pick<Journal, "write">;
  readonly events: Pick<Journal, "write">;
  readonly isLeader: () => boolean;
}

export class StoreOutage {
  readonly #options: StoreOutageOptions;
  #why: string | null = null;
  #toldSinceMs: number | null = null;
  /** What was said last of who confirms the leader; null where nothing was yet. */
  #doubt: string | null = null;

  constructor(options: StoreOutageOptions) {
    this.#options = options;
  }

  /** Null while it answers. */
  get why(): string | null {
    return this.#why;
  }

  /** It does not answer, for that reason, or answers again (null). */
  note(why: string | null): void {
    const { log } = this.#options;
    this.#why = why;
    this.#doubt = null;
    const level = why === null ? "info" : "error";
    log.write({ event: "store", level, message: why ?? "the store answers again" });
    if (why === null) this.#noteEnd();
    else this.#noteBegin(why);
  }

  /** @param doubts why some members do not confirm the leader; none where all do */
  noteDoubts(record: ClusterRecord, doubts: readonly string[]): void {
    const doubt = doubts.join("; ");
    if (doubt === this.#doubt) return;
    this.#doubt = doubt;
    const { log, member } = this.#options;
    if (doubt !== "")
      log.write({
        event: "not-confirmed",
        level: "warning",
        message: `The store does not answer; ${doubt}.`,
      });
    else
      log.write({
        event: "confirmed-by-all",
        message: `The store does not answer; every member confirms ${member} for term ${record.term}.`,
      });
  }

  /** What others had changed in the last moments of the record that is gone may not be in it. */
  notePutBack({ term, generation }: ClusterRecord): void {
    const { events, log, member } = this.#options;
    const entry = {
      event: "record-put-back",
      level: "warning",
      message: `The cluster's record was gone from the store; every member confirmed ${member}, which has written back the one that it knew.`,
      details: { term, generation },
    } as const;
    events.write(entry);
    log.write(entry);
  }

  #noteBegin(why: string): void {
    const { events, member, clock, isLeader } = this.#options;
    if (this.#toldSinceMs !== null || !isLeader()) return;
    this.#toldSinceMs = clock.nowMs();
    events.write({
      event: "store-away",
      level: "warning",
      message: `The store does not answer, and ${member} leads on: ${why}.`,
    });
  }

  #noteEnd(): void {
    const { events, clock } = this.#options;
    if (this.#toldSinceMs === null) return;
    const milliseconds = Math.round(clock.nowMs() - this.#toldSinceMs);
    this.#toldSinceMs = null;
    events.write({
      event: "store-back",
      message: `The store answers again, after ${(milliseconds / 1_000).toFixed(1)} s.`,
      details: { milliseconds },
    });
  }
}
