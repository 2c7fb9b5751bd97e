// Whether the agent's loop turns: a probe has one that hangs started again, and one that is busy
// with a long step left alone.
import type { Clock } from "./clock.ts";

/** It turns every two seconds, and waits in a turn for a few things of five seconds at most. */
const HUNG_MS = 30_000;

export class Pulse {
  readonly #clock: Pick<Clock, "nowMs">;
  #beatMs: number;

  constructor(clock: Pick<Clock, "nowMs">) {
    this.#clock = clock;
    this.#beatMs = clock.nowMs();
  }

  /** With each turn. */
  beat(): void {
    this.#beatMs = this.#clock.nowMs();
  }

  get isBeating(): boolean {
    return this.#clock.nowMs() - this.#beatMs < HUNG_MS;
  }
}
