// What there is to do, by key: one cluster is looked at by one pass at a time, however often it
// changes meanwhile, and one that fails is tried again later and later while others go on.
import { pauseMs, type Backoff } from "../../kubernetes-api/backoff.ts";

/** When a key is to be looked at again though nothing changes; null: not before something does. */
export type Again = { readonly inMs: number } | null;

export interface QueueOptions {
  /** One pass. What it throws is told to `onFailure`, and the key is tried again. */
  readonly work: (key: string, signal: AbortSignal) => Promise<Again>;
  readonly onFailure: (key: string, thrown: unknown) => void;
  /** How many keys at a time. */
  readonly concurrency: number;
  readonly backoff: Backoff;
  /**
   * So long, or for its whole pause where that is shorter, a key that failed is not looked at,
   * whatever changes: what the failed pass wrote itself is among that.
   */
  readonly leastPauseMs: number;
  readonly setTimer: (ms: number, callback: () => void) => Disposable;
  /** From 0 to 1. */
  readonly chance: () => number;
}

export class WorkQueue implements AsyncDisposable {
  readonly #options: QueueOptions;
  readonly #end = new AbortController();
  /** In the order in which they were added. */
  readonly #waiting = new Set<string>();
  readonly #running = new Map<string, Promise<void>>();
  readonly #timers = new Map<string, Disposable>();
  readonly #failures = new Map<string, number>();
  /** They have failed a moment ago; whether they have been added since. */
  readonly #held = new Map<string, { isWanted: boolean }>();

  constructor(options: QueueOptions) {
    this.#options = options;
  }

  /** It is looked at soon, and once more if it is being looked at now. */
  add(key: string): void {
    if (this.#end.signal.aborted) return;
    const held = this.#held.get(key);
    if (held !== undefined) {
      held.isWanted = true;
      return;
    }
    this.#forgetTimer(key);
    this.#waiting.add(key);
    this.#runWaiting();
  }

  /** There is nothing of that key any more. */
  forget(key: string): void {
    this.#forgetTimer(key);
    this.#waiting.delete(key);
    this.#failures.delete(key);
    this.#held.delete(key);
  }

  /** Cancels what runs, and waits for it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    this.#waiting.clear();
    for (const key of this.#timers.keys()) this.#forgetTimer(key);
    await Promise.all(this.#running.values());
  }

  #runWaiting(): void {
    for (const key of this.#waiting) {
      if (this.#running.size >= this.#options.concurrency) return;
      if (this.#running.has(key)) continue;
      this.#waiting.delete(key);
      this.#running.set(key, this.#run(key));
    }
  }

  async #run(key: string): Promise<void> {
    const again = await this.#pass(key);
    this.#running.delete(key);
    if (again?.hasFailed === true) this.#holdBack(key, again.inMs);
    else if (again !== null && !this.#waiting.has(key)) this.#addLater(key, again.inMs);
    this.#runWaiting();
  }

  /** What was added while it was being worked on waits as well. */
  #holdBack(key: string, pauseInMs: number): void {
    if (this.#end.signal.aborted) return;
    const held = { isWanted: this.#waiting.delete(key) };
    const leastMs = Math.min(pauseInMs, this.#options.leastPauseMs);
    this.#held.set(key, held);
    this.#timers.set(
      key,
      this.#options.setTimer(leastMs, () => {
        this.#timers.delete(key);
        this.#held.delete(key);
        if (held.isWanted || pauseInMs <= leastMs) this.add(key);
        else this.#addLater(key, pauseInMs - leastMs);
      }),
    );
  }

  async #pass(key: string): Promise<{ inMs: number; hasFailed: boolean } | null> {
    const { work, onFailure, backoff, chance } = this.#options;
    const { signal } = this.#end;
    // Whoever adds a key goes on first: a pass never begins within the call that asks for it.
    await Promise.resolve();
    try {
      const again = await work(key, signal);
      this.#failures.delete(key);
      return again === null ? null : { inMs: again.inMs, hasFailed: false };
    } catch (thrown) {
      if (signal.aborted) return null;
      onFailure(key, thrown);
      const failures = (this.#failures.get(key) ?? 0) + 1;
      this.#failures.set(key, failures);
      return { inMs: pauseMs(backoff, { failures, chance: chance() }), hasFailed: true };
    }
  }

  #addLater(key: string, ms: number): void {
    if (this.#end.signal.aborted) return;
    this.#timers.set(
      key,
      this.#options.setTimer(ms, () => this.add(key)),
    );
  }

  #forgetTimer(key: string): void {
    this.#timers.get(key)?.[Symbol.dispose]();
    this.#timers.delete(key);
  }
}
