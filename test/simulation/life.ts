// One run of a process: what it waits for reaches it only while it lives, and later while it is
// paused (SIGSTOP). What it had begun when it was killed never goes on.
import type { Clock } from "../../src/agent/clock.ts";
import type { Random } from "./random.ts";
import type { Scheduler } from "./scheduler.ts";

/** The clocks of one machine, as faults have them run. */
export interface MachineClock {
  /** Of the people's clock, which is set back and forth. */
  offsetMs: number;
  /** How many of its milliseconds go by in one. */
  rate: number;
}

export class Life {
  readonly #scheduler: Scheduler;
  readonly #clock: MachineClock;
  #alive = true;
  #held: (() => void)[] | null = null;

  constructor(scheduler: Scheduler, clock: MachineClock) {
    this.#scheduler = scheduler;
    this.#clock = clock;
  }

  /** Neither dead nor paused. */
  get answers(): boolean {
    return this.#alive && this.#held === null;
  }

  get isPaused(): boolean {
    return this.#held !== null;
  }

  get isAlive(): boolean {
    return this.#alive;
  }

  end(): void {
    this.#alive = false;
    this.#held = null;
  }

  pause(): void {
    this.#held ??= [];
  }

  /** All that came meanwhile comes now, in its order. */
  resume(): void {
    const held = this.#held ?? [];
    this.#held = null;
    for (const run of held) this.#scheduler.at(0, () => this.deliver(run));
  }

  deliver(run: () => void): void {
    if (!this.#alive) return;
    this.#scheduler.stir();
    if (this.#held === null) run();
    else this.#held.push(run);
  }

  setTimer(ms: number, callback: () => void): Disposable {
    const timer = new LifeTimer(callback);
    timer.entry = this.#scheduler.quietly(ms / this.#clock.rate, () => this.deliver(timer.fire));
    return timer;
  }

  /** @throws the signal's reason, at once, when it is cut off. */
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason);
      const timer = this.setTimer(ms, () => {
        signal?.removeEventListener("abort", cutOff);
        resolve();
      });
      const cutOff = () => {
        timer[Symbol.dispose]();
        reject(signal?.reason);
      };
      signal?.addEventListener("abort", cutOff, { once: true });
    });
  }
}

/**
 * May be taken back until it is delivered, which for a paused process may be long after its time.
 */
class LifeTimer implements Disposable {
  entry: Disposable | null = null;
  #callback: (() => void) | null;

  constructor(callback: () => void) {
    this.#callback = callback;
  }

  readonly fire = (): void => this.#callback?.();

  [Symbol.dispose](): void {
    this.#callback = null;
    this.entry?.[Symbol.dispose]();
  }
}

/** As a machine's clock shows it to people. */
export function wallMs(nowMs: number, { offsetMs }: Pick<MachineClock, "offsetMs">): number {
  return Date.UTC(2026, 0, 1) + nowMs + offsetMs;
}

/** An agent's clock: it began at some moment of its own, and runs while its process is paused. */
export function clockOf(
  life: Life,
  time: { scheduler: Scheduler; machine: MachineClock; random: Random },
): Clock {
  const { scheduler, machine } = time;
  const beganMs = time.random.between(0, 1_000_000);
  return {
    nowMs: () => beganMs + scheduler.nowMs * machine.rate,
    wallClock: () => new Date(wallMs(scheduler.nowMs, machine)).toISOString(),
    setTimer: (ms, callback) => life.setTimer(ms, callback),
  };
}
