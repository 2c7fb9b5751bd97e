// What every store must do, whatever it is made of. Each implementation's test file runs this.
import assert from "node:assert/strict";
import { test } from "node:test";
import { newRecord, type ClusterRecord } from "../../src/core/record.ts";
import { bumpGeneration } from "../../src/core/record-changes.ts";
import { changeRecord, type Store } from "../../src/store/store.ts";
import { eventually } from "../support/eventually.ts";

interface Subject extends AsyncDisposable {
  /** Another handle on the same record, as another process would have it. */
  open(): Store;
}

export function conformance(name: string, make: () => Promise<Subject>): void {
  test(`${name}: there is no record before the first write`, async () => {
    await using subject = await make();
    assert.equal(await subject.open().read(), null);
  });

  test(`${name}: what was written is what is read, by every handle`, async () => {
    await using subject = await make();
    const written = await create(subject.open());
    assert.deepEqual(await subject.open().read(), written);
  });

  test(`${name}: the first write succeeds once`, async () => {
    await using subject = await make();
    await create(subject.open());
    assert.equal(
      await subject.open().write({ record: sample(), expected: null, durable: true }),
      null,
    );
  });

  test(`${name}: a write over an older revision is refused and changes nothing`, async () => {
    await using subject = await make();
    const [one, other] = [subject.open(), subject.open()];
    const first = await create(one);
    const second = await one.write({
      record: bumpGeneration(first.record),
      expected: first.revision,
      durable: false,
    });
    assert(second);
    assert.notEqual(second.revision, first.revision);
    const late = { record: { ...first.record, paused: true }, expected: first.revision };
    assert.equal(await other.write({ ...late, durable: true }), null);
    assert.deepEqual(await other.read(), second);
  });

  test(`${name}: of many that change at once none is lost`, async () => {
    await using subject = await make();
    const first = await create(subject.open());
    const stores = Array.from({ length: 4 }, () => subject.open());
    await Promise.all(
      stores.map(async (store) => {
        for (let round = 0; round < 25; round += 1) await changeRecord(store, bumpGeneration);
      }),
    );
    const last = await subject.open().read();
    assert.equal(last?.record.generation, first.record.generation + 100);
  });

  test(`${name}: a change that is not allowed writes nothing`, async () => {
    await using subject = await make();
    const first = await create(subject.open());
    assert.equal(await changeRecord(subject.open(), () => null), null);
    assert.deepEqual(await subject.open().read(), first);
  });

  test(`${name}: another handle's write is noticed, and none after the watch has ended`, async () => {
    await using subject = await make();
    const [writer, watcher] = [subject.open(), subject.open()];
    await create(writer);
    let seen = 0;
    const watch = watcher.watch(() => (seen += 1));
    await changeRecord(writer, bumpGeneration);
    await eventually("a change that is noticed", () => seen > 0);
    watch[Symbol.dispose]();
    const before = seen;
    await changeRecord(writer, bumpGeneration);
    assert.equal((await watcher.read())?.record.generation, 3);
    assert.equal(seen, before);
  });
}

function sample(): ClusterRecord {
  return newRecord({ cluster: "demo", founder: "demo-1", ttlMs: 2000, members: {} });
}

async function create(store: Store) {
  const written = await store.write({ record: sample(), expected: null, durable: true });
  assert(written);
  return written;
}
