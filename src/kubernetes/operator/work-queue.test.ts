import assert from "node:assert/strict";
import { test } from "node:test";
import { WorkQueue, type Again, type QueueOptions } from "./work-queue.ts";

/** Timers that go off when the test says so. */
class Timers {
  readonly set: { ms: number; callback: () => void }[] = [];

  setTimer = (ms: number, callback: () => void): Disposable => {
    const timer = { ms, callback };
    this.set.push(timer);
    return {
      [Symbol.dispose]: () => {
        const at = this.set.indexOf(timer);
        if (at !== -1) this.set.splice(at, 1);
      },
    };
  };

  fire(): void {
    for (const { callback } of this.set.splice(0)) callback();
  }
}

/** Passes that the test ends one by one. */
class Work {
  readonly begun: string[] = [];
  readonly failures: string[] = [];
  readonly #open: { key: string; end: (again: Again) => void; fail: () => void }[] = [];

  begin = (key: string, signal: AbortSignal): Promise<Again> => {
    this.begun.push(key);
    return new Promise((resolve, reject) => {
      const fail = () => reject(new Error(`${key} failed`));
      signal.addEventListener("abort", fail, { once: true });
      this.#open.push({ key, end: resolve, fail });
    });
  };

  async end(key: string, again: Again = null): Promise<void> {
    this.#take(key).end(again);
    await settled();
  }

  async fail(key: string): Promise<void> {
    this.#take(key).fail();
    await settled();
  }

  #take(key: string) {
    const at = this.#open.findIndex((each) => each.key === key);
    const [found] = at === -1 ? [] : this.#open.splice(at, 1);
    assert(found !== undefined, `${key} is being worked on`);
    return found;
  }
}

/** Whatever follows from what was done, without any timer. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

function queueOf(work: Work, options: Partial<QueueOptions> = {}): WorkQueue {
  return new WorkQueue({
    work: work.begin,
    onFailure: (key) => work.failures.push(key),
    concurrency: 2,
    backoff: { firstMs: 100, limitMs: 1_000 },
    leastPauseMs: 150,
    setTimer: new Timers().setTimer,
    chance: () => 1,
    ...options,
  });
}

test("a key is never worked on twice at once, and once more however often it changes meanwhile", async () => {
  const work = new Work();
  await using queue = queueOf(work);
  queue.add("a");
  await settled();
  for (let times = 0; times < 5; times += 1) queue.add("a");
  await settled();
  assert.deepEqual(work.begun, ["a"]);
  await work.end("a");
  assert.deepEqual(work.begun, ["a", "a"]);
  await work.end("a");
  assert.deepEqual(work.begun, ["a", "a"]);
});

test("so many at a time as were said, in the order in which they came", async () => {
  const work = new Work();
  await using queue = queueOf(work);
  for (const key of ["a", "b", "c", "d"]) queue.add(key);
  await settled();
  assert.deepEqual(work.begun, ["a", "b"]);
  await work.end("b");
  assert.deepEqual(work.begun, ["a", "b", "c"]);
});

test("one that fails is tried again later and later, and then as if nothing had been", async () => {
  const work = new Work();
  const timers = new Timers();
  await using queue = queueOf(work, { setTimer: timers.setTimer, leastPauseMs: 5_000 });
  queue.add("a");
  const pauses: number[] = [];
  for (let times = 0; times < 5; times += 1) {
    await settled();
    await work.fail("a");
    pauses.push(...timed(timers));
    timers.fire();
  }
  assert.deepEqual(pauses, [100, 200, 400, 800, 1_000]);
  assert.equal(work.failures.length, 5);
  await settled();
  await work.end("a");
  queue.add("a");
  await settled();
  await work.fail("a");
  assert.deepEqual(
    timers.set.map(({ ms }) => ms),
    [100],
  );
});

test("a change does not wait for all of the pause after a failure, but for the least", async () => {
  const work = new Work();
  const timers = new Timers();
  await using queue = queueOf(work, { setTimer: timers.setTimer });
  queue.add("a");
  await settled();
  // What changes while it is at work may be of its own making.
  queue.add("a");
  await work.fail("a");
  queue.add("a");
  await settled();
  assert.deepEqual(work.begun, ["a"]);
  timers.fire();
  await settled();
  assert.deepEqual(work.begun, ["a", "a"]);
  await work.fail("a");
  assert.deepEqual(timed(timers), [150]);
  timers.fire();
  // The rest of it, while nothing changes.
  assert.deepEqual(timed(timers), [50]);
  queue.add("a");
  await settled();
  assert.deepEqual([work.begun.length, timed(timers)], [3, []]);
});

function timed({ set }: Timers): number[] {
  return set.map(({ ms }) => ms);
}

test("a pass may ask to be made again, and what is gone is not", async () => {
  const work = new Work();
  const timers = new Timers();
  await using queue = queueOf(work, { setTimer: timers.setTimer });
  queue.add("a");
  await settled();
  await work.end("a", { inMs: 5_000 });
  assert.deepEqual(
    timers.set.map(({ ms }) => ms),
    [5_000],
  );
  queue.forget("a");
  assert.deepEqual(timers.set, []);
});

test("at the end what runs is cancelled and waited for, and nothing begins any more", async () => {
  const work = new Work();
  const queue = queueOf(work);
  for (const key of ["a", "b", "c"]) queue.add(key);
  await settled();
  await queue[Symbol.asyncDispose]();
  queue.add("d");
  await settled();
  assert.deepEqual(work.begun, ["a", "b"]);
  assert.deepEqual(work.failures, []);
});
