// What this member has drained from the disks of dead members since nobody leads. While something
// else keeps it from taking the lease none of that is read, copied and replayed again.
import type { Lsn } from "../core/lsn.ts";

export interface DrainedWal {
  /** Whose it was. */
  readonly from: string;
  /** Of the dead member's WAL: it writes no more before somebody leads in a newer term. */
  readonly endLsn: Lsn;
  readonly timeline: number;
  /** Of these this member had not got. */
  readonly savedBytes: number;
}

export class Drained {
  #term = 0;
  readonly #drains = new Map<string, DrainedWal>();

  /** All of that member's WAL is replayed here, or will be before a promotion ends. */
  add(term: number, drained: DrainedWal): void {
    this.#keepOnly(term);
    this.#drains.set(drained.from, drained);
  }

  /** @returns null where it was not drained in this term, or what was is not here any more. */
  find(term: number, of: { from: string; position: Lsn }): DrainedWal | null {
    this.#keepOnly(term);
    const drain = this.#drains.get(of.from);
    return drain !== undefined && of.position >= drain.endLsn ? drain : null;
  }

  #keepOnly(term: number): void {
    if (term !== this.#term) this.#drains.clear();
    this.#term = term;
  }
}
