// What the drill's writers were promised: each row that was acknowledged, by whom and when.
import type { Acknowledgement } from "./statistics.ts";

export class Ledger {
  readonly #rows: Acknowledgement[] = [];
  readonly #numbers = new Map<number, number>();
  #failures = 0;

  /** Numbers run per writer, from 1. */
  nextNumber(writer: number): number {
    const next = (this.#numbers.get(writer) ?? 0) + 1;
    this.#numbers.set(writer, next);
    return next;
  }

  acknowledge(row: Omit<Acknowledgement, "atMs">): void {
    this.#rows.push({ ...row, atMs: performance.now() });
  }

  countFailure(): void {
    this.#failures += 1;
  }

  get acknowledged(): readonly Acknowledgement[] {
    return this.#rows;
  }

  /** Writes that ended with an error, or with no answer in time. */
  get failures(): number {
    return this.#failures;
  }
}
