import assert from "node:assert/strict";
import { test } from "node:test";
import { cachedDataVersionTag } from "node:v8";
import { OwnHeap, v8Collector } from "./own-heap.ts";

const MB = 1024 * 1024;

/** A heap whose looks the test calls for. */
function heapOf(inUse: { mb: number }) {
  const state = { usedMb: inUse.mb, isBusy: false, collections: 0, timers: 0, inMs: 0 };
  const next = { look: () => {} };
  const heap = new OwnHeap({
    clock: {
      setTimer: (ms, callback) => {
        next.look = callback;
        state.inMs = ms;
        state.timers += 1;
        return { [Symbol.dispose]: () => (state.timers -= 1) };
      },
    },
    isBusy: () => state.isBusy,
    collector: () => () => {
      state.collections += 1;
      state.usedMb = inUse.mb;
    },
    usedBytes: () => state.usedMb * MB,
  });
  const lookAt = (usedMb: number) => {
    state.usedMb = usedMb;
    state.timers -= 1;
    next.look();
  };
  return { heap, state, lookAt };
}

test("garbage is collected when four megabytes have come together, and not before", () => {
  const { state, lookAt } = heapOf({ mb: 12 });
  for (const usedMb of [12, 13, 15.9]) lookAt(usedMb);
  assert.equal(state.collections, 0);
  lookAt(16);
  assert.equal(state.collections, 1);
  for (const usedMb of [12, 15.9]) lookAt(usedMb);
  assert.equal(state.collections, 1);
});

test("what is in use is not looked through again and again", () => {
  const inUse = { mb: 12 };
  const { state, lookAt } = heapOf(inUse);
  lookAt(12);
  inUse.mb = 30;
  lookAt(30);
  for (const usedMb of [30, 31, 33.9]) lookAt(usedMb);
  assert.equal(state.collections, 1);
  lookAt(34);
  assert.equal(state.collections, 2);
});

test("after a collection of V8's own it is the less by which growth is measured", () => {
  const { state, lookAt } = heapOf({ mb: 10 });
  for (const usedMb of [15, 18, 10, 13]) lookAt(usedMb);
  assert.equal(state.collections, 0);
  lookAt(14);
  assert.equal(state.collections, 1);
});

test("no work waits for it, and it does not wait for long after the work", () => {
  const { state, lookAt } = heapOf({ mb: 12 });
  lookAt(12);
  assert.equal(state.inMs, 5_000);
  state.isBusy = true;
  lookAt(20);
  assert.equal(state.collections, 0);
  assert.equal(state.inMs, 250);
  state.isBusy = false;
  lookAt(20);
  assert.equal(state.collections, 1);
  assert.equal(state.inMs, 5_000);
});

test("nothing is looked at any more after its end", () => {
  const { heap, state, lookAt } = heapOf({ mb: 12 });
  lookAt(12);
  heap[Symbol.dispose]();
  assert.equal(state.timers, 0);
});

test("V8's own collector is to be had, and compiled code stays good for the next start", () => {
  const tag = cachedDataVersionTag();
  const collect = v8Collector();
  assert(collect !== null);
  assert.equal(cachedDataVersionTag(), tag);
  collect();
  const before = process.memoryUsage().heapUsed;
  makeGarbage();
  assert(process.memoryUsage().heapUsed > before + 4 * MB);
  collect();
  assert(process.memoryUsage().heapUsed < before + MB);
});

/** Too large for the young generation, of which V8 clears the rest by itself. */
function makeGarbage(): void {
  Array.from({ length: 100 }, () => Array.from({ length: 10_000 }, () => 1.5));
}
