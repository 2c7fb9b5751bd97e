import assert from "node:assert/strict";
import { test } from "node:test";
import { HandClock, settled } from "../../test/support/hand-clock.ts";
import { UnderstudyError } from "../core/errors.ts";
import { newRecord, type ClusterRecord } from "../core/record.ts";
import { MemoryStore } from "../store/memory-store.ts";
import type { Store } from "../store/store.ts";
import { LeaseKeeper } from "./lease-keeper.ts";

const TTL_MS = 5_000;

/** A store that can be made to fail, or not to answer at all. */
class FaultyStore implements Store {
  readonly #sound = new MemoryStore();
  how: "sound" | "failing" | "silent" = "sound";

  read() {
    return this.#do(() => this.#sound.read());
  }

  write(request: Parameters<Store["write"]>[0]) {
    return this.#do(() => this.#sound.write(request));
  }

  watch(onChange: () => void): Disposable {
    return this.#sound.watch(onChange);
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #do<T>(operation: () => Promise<T>): Promise<T> {
    if (this.how === "silent") return new Promise<T>(() => {});
    if (this.how === "sound") return operation();
    return Promise.reject(new UnderstudyError("STORE_UNAVAILABLE", "it fails"));
  }
}

interface Ground {
  readonly clock: HandClock;
  readonly store: FaultyStore;
  readonly keeper: LeaseKeeper;
  /** From when on the lease was proven to last anew. */
  readonly provenMs: number[];
  readonly members: { confirm: (record: ClusterRecord) => Promise<boolean> };
}

async function ground(self: string): Promise<Ground> {
  const clock = new HandClock();
  const store = new FaultyStore();
  const address = { host: "127.0.0.1", port: 1, apiPort: 2, tags: {} };
  const members = { "t-1": address, "t-2": address };
  const founded = newRecord({ cluster: "t", founder: "t-1", ttlMs: TTL_MS, members });
  const leader = { member: "t-1", renewals: 0, lsn: null, timeline: null };
  await store.write({ record: { ...founded, term: 1, leader }, expected: null, durable: true });
  const provenMs: number[] = [];
  const asked: Ground["members"] = { confirm: async () => true };
  const keeper = new LeaseKeeper({
    store,
    clock,
    member: self,
    oldestTerm: () => 0,
    position: () => ({ lsn: null, timeline: null }),
    onChange: () => {},
    onStoreTrouble: () => {},
    sending: () => {
      const sentMs = clock.nowMs();
      return () => void provenMs.push(sentMs);
    },
    isConfirmedByAll: (record) => asked.confirm(record),
  });
  await keeper.begin();
  await clock.pass(TTL_MS / 5);
  return { clock, store, keeper, provenMs, members: asked };
}

test("while the store fails the lease lasts as long as all members confirm, from before they are asked", async () => {
  const { clock, store, keeper, provenMs, members } = await ground("t-1");
  using _keeper = keeper;
  assert.deepEqual(provenMs, [1_000]);
  store.how = "failing";
  const answer = Promise.withResolvers<boolean>();
  members.confirm = () => answer.promise;
  await clock.pass(1_400);
  assert.deepEqual(provenMs, [1_000], "nobody has answered yet");
  answer.resolve(true);
  await settled();
  assert.deepEqual(provenMs, [1_000, 2_000]);
});

test("one that does not confirm is enough for it to run out", async () => {
  const { clock, store, keeper, provenMs, members } = await ground("t-1");
  using _keeper = keeper;
  store.how = "failing";
  members.confirm = async () => false;
  await clock.pass(TTL_MS * 2);
  assert.deepEqual(provenMs, [1_000]);
});

test("a store that does not answer at all does not keep the members from being asked", async () => {
  const { clock, store, keeper, provenMs } = await ground("t-1");
  using _keeper = keeper;
  store.how = "silent";
  await clock.pass(TTL_MS);
  assert.deepEqual(provenMs, [1_000, 3_000, 4_000, 5_000, 6_000]);
});

test("members are not asked while the store renews", async () => {
  const { clock, keeper, members } = await ground("t-1");
  using _keeper = keeper;
  members.confirm = () => assert.fail("they were asked");
  await clock.pass(TTL_MS);
});

test("who has confirmed a leader counts its silence from then on", async () => {
  const { clock, keeper } = await ground("t-2");
  using _keeper = keeper;
  await clock.pass(TTL_MS * 2);
  assert.ok(keeper.fifthsOfSilence > 8);
  keeper.promise({ leader: "t-1", term: 1, ttlMs: TTL_MS });
  assert.equal(keeper.fifthsOfSilence, 0);
  await clock.pass(TTL_MS - 1);
  assert.equal(keeper.fifthsOfSilence, 0);
  await clock.pass(TTL_MS);
  assert.ok(keeper.fifthsOfSilence > 8);
});

test("a change that failed may have been applied, until the store has been read", async () => {
  const { clock, store, keeper } = await ground("t-2");
  using _keeper = keeper;
  store.how = "failing";
  await assert.rejects(keeper.change((record) => ({ ...record, paused: true })));
  assert.equal(keeper.isUncertain, true);
  await clock.pass(TTL_MS);
  assert.equal(keeper.isUncertain, true);
  store.how = "sound";
  await keeper.refresh();
  assert.equal(keeper.isUncertain, false);
});

test("a promotion rests on the record as it is in the store, with what an own change has made of it", async () => {
  const { store, keeper } = await ground("t-1");
  using _keeper = keeper;
  const guarantee = { required: 1, members: ["t-2"], renewed: [] };
  const before = await store.read();
  assert(before);
  // As when it was this member that wrote it, and the answer never came.
  const record = { ...before.record, sync: { ...before.record.sync, guarantee } };
  await store.write({ record, expected: before.revision, durable: true });
  assert.deepEqual((await keeper.confirmLease(1))?.sync.guarantee, guarantee);
  assert.equal(await keeper.confirmLease(2), null);
  assert.equal(keeper.holds(1), true);
  assert.equal(keeper.holds(2), false);
});
