// Hand-overs that failed: a primary that could not hand over a moment ago most likely cannot now,
// and each attempt may hold its writers up. Kept in memory: an operator that comes tries once more.
import { messageOf } from "../../core/errors.ts";
import type { Step } from "./step.ts";

/** So long nothing is handed over after that. */
const PAUSE_MS = 180_000;

export class Handovers {
  readonly #nowMs: () => number;
  readonly #failed = new Map<string, { readonly atMs: number; readonly why: string }>();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** @param step of that cluster. @returns it, or to wait where it would be too soon. */
  hold(cluster: string, { step }: { step: Step }): Step {
    const failed = this.#failed.get(cluster);
    if (failed === undefined || step.kind !== "switchover") return step;
    if (this.#nowMs() - failed.atMs >= PAUSE_MS) {
      this.#failed.delete(cluster);
      return step;
    }
    return { kind: "wait", why: failed.why };
  }

  /** @returns one sentence of it. */
  failed(cluster: string, of: { from: string; to: string; thrown: unknown }): string {
    const { from, to, thrown } = of;
    const why = `${from} could not hand over to ${to}, which is tried again after ${PAUSE_MS / 60_000} minutes: ${messageOf(thrown)}`;
    this.#failed.set(cluster, { atMs: this.#nowMs(), why });
    return why;
  }

  forget(cluster: string): void {
    this.#failed.delete(cluster);
  }
}
