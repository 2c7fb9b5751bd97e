import assert from "node:assert/strict";
import { test } from "node:test";
import { UnderstudyError } from "../core/errors.ts";
import { newRecord, type ClusterRecord } from "../core/record.ts";
import { setPaused, takeLease } from "../core/record-changes.ts";
import { MemoryStore } from "../store/memory-store.ts";
import type { Store } from "../store/store.ts";
import type { Clock } from "./clock.ts";
import { LeaseKeeper } from "./lease-keeper.ts";

const STILL: Clock = {
  nowMs: () => 0,
  wallClock: () => "2026-01-01T00:00:00Z",
  setTimer: () => ({ [Symbol.dispose]: () => {} }),
};

/** The store itself, and the way of an agent to it, on which answers can be held up or lost. */
async function prepare() {
  const store = new MemoryStore();
  const members = { "demo-1": { host: "127.0.0.1", port: 6431, apiPort: 7431, tags: {} } };
  const fresh = newRecord({ cluster: "demo", founder: "demo-1", ttlMs: 5_000, members });
  const led = takeLease(fresh, {
    member: "demo-1",
    position: { lsn: null, timeline: null },
    at: "",
    reason: "",
  });
  await store.write({ record: led ?? fresh, expected: null, durable: true });
  const way = new Way(store);
  const keeper = new LeaseKeeper({
    store: way,
    clock: STILL,
    member: "demo-1",
    oldestTerm: () => 0,
    position: () => ({ lsn: null, timeline: null }),
    onChange: () => {},
    onStoreTrouble: () => {},
  });
  return { store, way, keeper };
}

class Way implements Store {
  readonly #store: Store;
  /** Answers to reads come when it has ended. */
  held: Promise<void> | null = null;
  /** The next write is carried out, and its answer is lost. */
  losesAnswer = false;

  constructor(store: Store) {
    this.#store = store;
  }

  async read() {
    const [answer] = await Promise.all([this.#store.read(), this.held]);
    return answer;
  }

  async write(request: Parameters<Store["write"]>[0]) {
    const answer = await this.#store.write(request);
    if (!this.losesAnswer) return answer;
    this.losesAnswer = false;
    throw new UnderstudyError("STORE_UNAVAILABLE", "the answer was lost");
  }

  watch(): Disposable {
    return { [Symbol.dispose]: () => {} };
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

const pause = (record: ClusterRecord) => setPaused(record, true);

test("an answer that comes late does not put an older record in a newer one's place", async () => {
  const { way, keeper } = await prepare();
  await keeper.refresh();
  const { promise, resolve } = Promise.withResolvers<void>();
  way.held = promise;
  const late = keeper.refresh();
  way.held = null;
  await keeper.change(pause);
  assert.equal(keeper.record?.paused, true);
  resolve();
  await late;
  assert.equal(keeper.record.paused, true);
});

test("where it is not known which of two answers is the newer, the store is asked once more", async () => {
  const { store, way, keeper } = await prepare();
  await keeper.refresh();
  const { promise, resolve } = Promise.withResolvers<void>();
  way.held = promise;
  const late = keeper.refresh();
  way.held = null;
  await keeper.change(pause);
  const now = await store.read();
  assert(now);
  await store.write({
    record: { ...now.record, paused: false },
    expected: now.revision,
    durable: true,
  });
  resolve();
  await late;
  assert.equal(keeper.record?.paused, false);
});

test("what it knows is certain after a change of its own, until one fails", async () => {
  const { store, way, keeper } = await prepare();
  await keeper.refresh();
  assert.equal(keeper.isCertain, false);
  await keeper.renew();
  assert.equal(keeper.isCertain, true);
  way.losesAnswer = true;
  await assert.rejects(keeper.change(pause), { code: "STORE_UNAVAILABLE" });
  // It was carried out, and this agent does not know.
  assert.equal((await store.read())?.record.paused, true);
  assert.deepEqual([keeper.record?.paused, keeper.isCertain], [false, false]);
  await keeper.refresh();
  assert.equal(keeper.isCertain, false);
  await keeper.renew();
  assert.deepEqual([keeper.record?.paused, keeper.isCertain], [true, true]);
});
