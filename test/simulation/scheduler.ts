// Virtual time. Events happen in the order of their moment, those of one moment in the order in
// which they were asked for; between two events every promise that can go on has gone on. So a run
// depends on nothing but its seed.

/** A class and not a literal with a closure: there are thousands for each simulated second. */
class Entry implements Disposable {
  readonly atMs: number;
  readonly order: number;
  run: (() => void) | null;

  constructor(atMs: number, order: number, run: () => void) {
    this.atMs = atMs;
    this.order = order;
    this.run = run;
  }

  [Symbol.dispose](): void {
    this.run = null;
  }
}

export class Scheduler {
  readonly #heap: Entry[] = [];
  #nowMs = 0;
  #order = 0;
  #stirred = true;

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Has `run` called in virtual time; promises go on after it. */
  at(delayMs: number, run: () => void): Disposable {
    return this.quietly(delayMs, () => {
      this.#stirred = true;
      run();
    });
  }

  /** As `at`, for what touches no promise unless it calls `stir`: that costs a tenth. */
  quietly(delayMs: number, run: () => void): Disposable {
    const entry = new Entry(this.#nowMs + Math.max(0, delayMs), this.#order, run);
    this.#order += 1;
    this.#push(entry);
    return entry;
  }

  /** A promise may go on because of the present event. */
  stir(): void {
    this.#stirred = true;
  }

  /** Until that moment, or until `isOver` says so after an event. */
  run(untilMs: number, isOver: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const turn = (): void => {
        try {
          if (this.#untilStirred(untilMs, isOver)) resolve();
          // Node runs what was asked for "next" only when no microtask is left; unlike a turn of
          // its whole loop that costs nothing.
          else queueMicrotask(() => process.nextTick(turn));
        } catch (thrown) {
          reject(thrown);
        }
      };
      // Whoever runs many is interrupted between two of them.
      setImmediate(turn);
    });
  }

  /** @returns whether the run is over. */
  #untilStirred(untilMs: number, isOver: () => boolean): boolean {
    this.#stirred = false;
    while (!this.#stirred) {
      if (isOver()) return true;
      const [next] = this.#heap;
      if (next === undefined || next.atMs > untilMs) {
        this.#nowMs = untilMs;
        return true;
      }
      this.#pop();
      if (next.run === null) continue;
      this.#nowMs = next.atMs;
      next.run();
    }
    return false;
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let place = heap.length;
    heap.push(entry);
    while (place > 0) {
      const parent = (place - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || !isBefore(entry, above)) break;
      heap[place] = above;
      place = parent;
    }
    heap[place] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      let below = heap[child];
      const right = heap[child + 1];
      if (below === undefined) break;
      if (right !== undefined && isBefore(right, below)) {
        child += 1;
        below = right;
      }
      if (!isBefore(below, last)) break;
      heap[place] = below;
      place = child;
    }
    heap[place] = last;
  }
}

function isBefore(one: Entry, other: Entry): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order);
}
