import assert from "node:assert/strict";
import { test } from "node:test";
import { HandClock } from "../../test/support/hand-clock.ts";
import { bumpGeneration, renewLease } from "../core/record-changes.ts";
import { newRecord, type ClusterRecord } from "../core/record.ts";
import { MemoryStore } from "../store/memory-store.ts";
import { changeRecord, type Store, type Versioned } from "../store/store.ts";
import { LeaseKeeper } from "./lease-keeper.ts";

const TTL_MS = 10_000;

/** A store that tells what it has seen, as a Kubernetes one does, and counts what it is asked. */
class TellingStore implements Store {
  readonly asked: string[] = [];
  readonly #shared: MemoryStore;
  #tell: ((seen?: Versioned) => void) | null = null;

  constructor(shared: MemoryStore) {
    this.#shared = shared;
  }

  read() {
    this.asked.push("read");
    return this.#shared.read();
  }

  write(request: Parameters<Store["write"]>[0]) {
    this.asked.push("write");
    return this.#shared.write(request);
  }

  watch(onChange: (seen?: Versioned) => void): Disposable {
    this.#tell = onChange;
    return { [Symbol.dispose]: () => (this.#tell = null) };
  }

  tell(seen: Versioned): void {
    this.#tell?.(seen);
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

async function keeperOf(member: string) {
  const shared = new MemoryStore();
  const address = { host: "127.0.0.1", port: 1, apiPort: 2, tags: {} };
  const members = { "t-1": address, "t-2": address };
  const founded = newRecord({ cluster: "t", founder: "t-1", ttlMs: TTL_MS, members });
  const leader = { member: "t-1", renewals: 0, lsn: null, timeline: null };
  await shared.write({ record: { ...founded, term: 1, leader }, expected: null, durable: true });
  const clock = new HandClock();
  const store = new TellingStore(shared);
  const keeper = new LeaseKeeper({
    store,
    clock,
    member,
    changesUnread: true,
    oldestTerm: () => 0,
    position: () => ({ lsn: null, timeline: null }),
    onChange: () => {},
    onStoreTrouble: () => {},
  });
  await keeper.begin();
  store.asked.length = 0;
  return { keeper, store, shared, clock, [Symbol.dispose]: () => keeper[Symbol.dispose]() };
}

function renewed(store: Store) {
  const position = { lsn: null, timeline: null };
  return changeRecord(store, (record) => renewLease(record, { member: "t-1", term: 1, position }));
}

function bumpFirst(record: ClusterRecord): ClusterRecord | null {
  return record.generation > 1 ? null : bumpGeneration(record);
}

function bumpSecond(record: ClusterRecord): ClusterRecord | null {
  return record.generation < 2 ? null : bumpGeneration(record);
}

test("a renewal is one write and nothing else", async () => {
  using subject = await keeperOf("t-1");
  for (let round = 0; round < 3; round += 1) await subject.keeper.renew();
  assert.deepEqual(subject.store.asked, ["write", "write", "write"]);
  assert.equal((await subject.shared.read())?.record.leader?.renewals, 3);
});

test("a renewal on a record that somebody has changed meanwhile is made again on that", async () => {
  using subject = await keeperOf("t-1");
  await changeRecord(subject.shared, bumpGeneration);
  await subject.keeper.renew();
  assert.deepEqual(subject.store.asked, ["write", "read", "write"]);
  assert.equal(subject.keeper.record?.leader?.renewals, 1);
  assert.equal(subject.keeper.record?.generation, 2);
});

test("whoever changes what it knows does that with one write", async () => {
  using subject = await keeperOf("t-2");
  assert.equal((await subject.keeper.change(bumpGeneration))?.generation, 2);
  assert.deepEqual(subject.store.asked, ["write"]);
});

test("a change that what is known does not allow is tried on what there is now", async () => {
  using subject = await keeperOf("t-2");
  await changeRecord(subject.shared, bumpGeneration);
  assert.equal((await subject.keeper.change(bumpSecond))?.generation, 3);
  assert.deepEqual(subject.store.asked, ["read", "write"]);
});

test("a change is not made of a record that is not there any more as it was known", async () => {
  using subject = await keeperOf("t-2");
  await changeRecord(subject.shared, bumpGeneration);
  assert.equal(await subject.keeper.change(bumpFirst), null);
  assert.equal((await subject.shared.read())?.record.generation, 2);
});

test("who is told of a renewal asks for nothing", async () => {
  using subject = await keeperOf("t-2");
  const seen = await renewed(subject.shared);
  assert(seen);
  subject.store.tell(seen);
  assert.equal(subject.keeper.record?.leader?.renewals, 1);
  assert.deepEqual(subject.store.asked, []);
});

test("silence is counted from when a sign of the leader was seen, and no other change ends it", async () => {
  using subject = await keeperOf("t-2");
  const { clock, keeper, shared, store } = subject;
  await clock.pass(TTL_MS / 2);
  const changed = await changeRecord(shared, bumpGeneration);
  assert(changed);
  store.tell(changed);
  await clock.pass(TTL_MS / 2);
  assert.equal(keeper.silentMs, TTL_MS);
  const seen = await renewed(shared);
  assert(seen);
  store.tell(seen);
  assert.equal(keeper.silentMs, 0);
  await clock.pass(1_000);
  keeper.promise({ leader: "t-1", term: 1, ttlMs: TTL_MS });
  await clock.pass(TTL_MS - 1);
  assert.equal(keeper.silentMs, 0);
});
