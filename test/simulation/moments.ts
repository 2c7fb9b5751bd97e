// The moments in which a fault does most harm, told by the checkers to whoever waits for one.
import type { Moment } from "./faults.ts";

type Trap = (about: string) => void;

export class Moments {
  readonly #traps = new Map<Moment, Set<Trap>>();

  /** @returns how it is taken back, which says whether it was still there. */
  await(moment: Moment, trap: Trap): () => boolean {
    const traps = this.#traps.get(moment) ?? new Set();
    this.#traps.set(moment, traps);
    traps.add(trap);
    return () => traps.delete(trap);
  }

  /** @param about the member that it is about */
  come(moment: Moment, about: string): void {
    for (const trap of this.#traps.get(moment) ?? []) trap(about);
  }
}
