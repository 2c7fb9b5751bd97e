// The JavaScript heap of an agent, which lives for months. V8 collects it whole when it has grown
// by eight megabytes and more, and an agent that has failed over a few times holds as much in
// garbage as in use, for as long as little happens. It is collected sooner here, between two pieces
// of work.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Clock } from "./clock.ts";

/** An agent has 12 MB in use; a collection takes 50 ms of processor time. */
const GROWTH_BYTES = 4 * 1024 * 1024;
const LOOK_EVERY_MS = 5_000;
/** When work is in the way: failovers in a row leave moments only. */
const TRY_AGAIN_MS = 250;
/** Pages that are nearly empty are emptied and given back: 14 MB stay of 18, and not 20 of 22. */
const ALL = { type: "major", execution: "sync", flavor: "last-resort" } as const;

export interface OwnHeapOptions {
  readonly clock: Pick<Clock, "setTimer">;
  /** Whether something is under way that would have to wait. */
  readonly isBusy: () => boolean;
  /** Called once, when something is to be collected first. Null: there is none. */
  readonly collector: () => (() => void) | null;
  readonly usedBytes?: () => number;
}

export class OwnHeap implements Disposable {
  readonly #options: OwnHeapOptions;
  #collect: (() => void) | null | undefined;
  /** The least that was in use since the last collection, ours or V8's own. */
  #leastBytes = Infinity;
  #timer: Disposable;

  constructor(options: OwnHeapOptions) {
    this.#options = options;
    this.#timer = this.#lookIn(LOOK_EVERY_MS);
  }

  [Symbol.dispose](): void {
    this.#timer[Symbol.dispose]();
  }

  #lookIn(ms: number): Disposable {
    return this.#options.clock.setTimer(ms, () => {
      const isDone = this.#look();
      this.#timer = this.#lookIn(isDone ? LOOK_EVERY_MS : TRY_AGAIN_MS);
    });
  }

  /** @returns whether what there was to collect is collected. */
  #look(): boolean {
    const { isBusy, collector, usedBytes = usedByV8 } = this.#options;
    const used = usedBytes();
    this.#leastBytes = Math.min(this.#leastBytes, used);
    if (used - this.#leastBytes < GROWTH_BYTES) return true;
    if (isBusy()) return false;
    if (this.#collect === undefined) this.#collect = collector();
    this.#collect?.();
    // What stays is seen the next time: buffers are freed a moment after their objects.
    this.#leastBytes = Infinity;
    return true;
  }
}

/** V8's own collector. Node shows it to who asks for it at its start, or, as here, by a flag. */
export function v8Collector(): (() => void) | null {
  try {
    setFlagsFromString("--expose-gc");
    const collect: unknown = runInNewContext("gc");
    return typeof collect === "function" ? () => void collect(ALL) : null;
  } catch {
    return null; // V8 collects when it thinks fit
  } finally {
    // What was compiled under other flags is compiled anew: Node's own modules, and our cache.
    setFlagsFromString("--no-expose-gc");
  }
}

/** Buffers too: they live outside of the heap for as long as their objects in it. */
function usedByV8(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
