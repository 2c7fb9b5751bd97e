import assert from "node:assert/strict";
import { test } from "node:test";
import { HandClock } from "../../test/support/hand-clock.ts";
import { newRecord, type ClusterRecord } from "../core/record.ts";
import { MemoryStore } from "../store/memory-store.ts";
import type { Store } from "../store/store.ts";
import { LeaseKeeper } from "./lease-keeper.ts";

const TTL_MS = 10_000;

/** A store of which somebody deletes the record. */
class DeletedStore implements Store {
  present: Store = new MemoryStore();
  tell: () => void = () => {};

  read() {
    return this.present.read();
  }

  write(request: Parameters<Store["write"]>[0]) {
    return this.present.write(request);
  }

  watch(onChange: () => void): Disposable {
    this.tell = onChange;
    return { [Symbol.dispose]: () => {} };
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

function ledRecord(): ClusterRecord {
  const address = { host: "127.0.0.1", port: 1, apiPort: 2, tags: {} };
  const members = { "t-1": address, "t-2": address };
  const founded = newRecord({ cluster: "t", founder: "t-1", ttlMs: TTL_MS, members });
  const leader = { member: "t-1", renewals: 3, lsn: null, timeline: null };
  return { ...founded, systemId: "7", term: 4, leader, heir: null };
}

async function keeperOf(options: { self?: string; restores?: boolean } = {}) {
  const store = new DeletedStore();
  await store.write({ record: ledRecord(), expected: null, durable: true });
  const clock = new HandClock();
  const asked = { isConfirmed: true };
  const putBack: ClusterRecord[] = [];
  const keeper = new LeaseKeeper({
    store,
    clock,
    member: options.self ?? "t-1",
    oldestTerm: () => 4,
    position: () => ({ lsn: null, timeline: null }),
    onChange: () => {},
    onStoreTrouble: () => {},
    changesUnread: true,
    isConfirmedByAll: async () => asked.isConfirmed,
    ...(options.restores === false ? {} : { onPutBack: (record) => void putBack.push(record) }),
  });
  await keeper.begin();
  const deleteRecord = () => {
    store.present = new MemoryStore();
    store.tell();
  };
  return {
    store,
    clock,
    asked,
    putBack,
    keeper,
    deleteRecord,
    [Symbol.dispose]: () => keeper[Symbol.dispose](),
  };
}

test("a record that is gone is written back by the leader that all members confirm", async () => {
  using subject = await keeperOf();
  subject.deleteRecord();
  await subject.clock.pass(TTL_MS / 5);
  const read = await subject.store.read();
  assert.deepEqual([read?.record.term, read?.record.leader?.member], [4, "t-1"]);
  assert.equal(subject.putBack.length, 1);
  await subject.clock.pass(TTL_MS);
  assert.equal(subject.putBack.length, 1);
  assert.ok(((await subject.store.read())?.record.leader?.renewals ?? 0) > 4);
});

test("nobody writes it back whom a member does not confirm, who does not lead, or who is not to", async () => {
  for (const how of [{ doubt: true }, { self: "t-2" }, { restores: false }]) {
    using subject = await keeperOf(how);
    subject.asked.isConfirmed = !("doubt" in how);
    subject.deleteRecord();
    await subject.clock.pass(TTL_MS);
    assert.equal(await subject.store.read(), null);
  }
});

test("a record that came in its place meanwhile is not written over", async () => {
  using subject = await keeperOf();
  subject.store.present = new MemoryStore();
  const other = { ...ledRecord(), term: 1_005, leader: null, heir: "t-2" };
  const put = await subject.store.write({ record: other, expected: null, durable: true });
  // Another revision than any that this store has had.
  await subject.store.write({ record: other, expected: put?.revision ?? null, durable: true });
  subject.store.tell();
  await subject.clock.pass(TTL_MS);
  assert.equal((await subject.store.read())?.record.term, 1_005);
  assert.equal(subject.keeper.record?.term, 1_005);
  assert.deepEqual(subject.putBack, []);
});
