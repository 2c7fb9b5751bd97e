// A clock for unit tests: time passes when it is told to, and whatever can go on without it has
// done so before the next timer rings.
import type { Clock } from "../../src/agent/clock.ts";

/** As many turns as any step here takes without time passing, and some. */
const TURNS = 5;

export class HandClock implements Clock {
  #nowMs = 0;
  readonly #timers = new Set<{ atMs: number; callback: () => void }>();

  nowMs(): number {
    return this.#nowMs;
  }

  wallClock(): string {
    return "";
  }

  setTimer(ms: number, callback: () => void): Disposable {
    const timer = { atMs: this.#nowMs + ms, callback };
    this.#timers.add(timer);
    return { [Symbol.dispose]: () => void this.#timers.delete(timer) };
  }

  async pass(ms: number): Promise<void> {
    const end = this.#nowMs + ms;
    for (;;) {
      await settled();
      const [next] = [...this.#timers].sort((one, other) => one.atMs - other.atMs);
      if (next === undefined || next.atMs > end) break;
      this.#timers.delete(next);
      this.#nowMs = next.atMs;
      next.callback();
    }
    this.#nowMs = end;
  }
}

/** Whatever goes on without time passing has come to its end. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
