// Turns byte counts into reports that a person can follow: at most five a second, with the
// remaining time by a rate that is smoothed over some seconds. Pure: the time is passed in.
import type { Progress } from "../../core/member-status.ts";

const INTERVAL_MS = 200;
/** The rate forgets about two thirds of its past in this time. */
const SMOOTHING_MS = 5_000;

export class ProgressMeter {
  readonly #report: (progress: Progress) => void;
  #step: string;
  #done = 0;
  #total: number | null = null;
  #reportedAt = Number.NEGATIVE_INFINITY;
  #sampledAt: number | null = null;
  #sampledDone = 0;
  /** Bytes per millisecond. */
  #rate: number | null = null;

  constructor(options: { step: string; report: (progress: Progress) => void }) {
    this.#step = options.step;
    this.#report = options.report;
  }

  /** Another step begins; reported at once. */
  enter(step: string, at: { nowMs: number; total: number | null }): void {
    this.#step = step;
    this.#done = 0;
    this.#total = at.total;
    this.#sampledAt = at.nowMs;
    this.#sampledDone = 0;
    this.#rate = null;
    this.#emit(at.nowMs);
  }

  /** `done` bytes of the step are behind us. */
  update(done: number, nowMs: number): void {
    this.#done = done;
    if (nowMs - this.#reportedAt >= INTERVAL_MS) this.#emit(nowMs);
  }

  #emit(nowMs: number): void {
    this.#sample(nowMs);
    this.#reportedAt = nowMs;
    // The source grows while it is copied: more than the estimate may come.
    const total = this.#total === null ? null : Math.max(this.#total, this.#done);
    this.#report({
      step: this.#step,
      bytesDone: this.#done,
      bytesTotal: total,
      remainingSeconds:
        total === null || this.#rate === null || this.#rate <= 0
          ? null
          : Math.round((total - this.#done) / this.#rate / 100) / 10,
    });
  }

  #sample(nowMs: number): void {
    const elapsed = this.#sampledAt === null ? 0 : nowMs - this.#sampledAt;
    if (elapsed <= 0) return;
    const rate = (this.#done - this.#sampledDone) / elapsed;
    const weight = 1 - Math.exp(-elapsed / SMOOTHING_MS);
    this.#rate = this.#rate === null ? rate : this.#rate + (rate - this.#rate) * weight;
    this.#sampledAt = nowMs;
    this.#sampledDone = this.#done;
  }
}
