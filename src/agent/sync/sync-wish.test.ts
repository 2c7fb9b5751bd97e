import assert from "node:assert/strict";
import { test } from "node:test";
import { HandClock, settled } from "../../../test/support/hand-clock.ts";
import { UnderstudyError } from "../../core/errors.ts";
import { newRecord, type SyncPolicy } from "../../core/record.ts";
import { setSyncPolicy } from "../../core/sync-policy.ts";
import { MemoryStore } from "../../store/memory-store.ts";
import { LeaseKeeper } from "../lease-keeper.ts";
import type { NewEntry } from "../journal.ts";
import { SyncWish } from "./sync-wish.ts";

const OFF: SyncPolicy = { mode: "off", required: 1, whenUnavailable: "block" };
const ON: SyncPolicy = { mode: "on", required: 1, whenUnavailable: "block" };
const TWO: SyncPolicy = { ...ON, required: 2 };
const LONG_MS = 200_000;

/** The leader's agent, which is told something; `again` is the next agent of it. */
async function ground(founded: SyncPolicy) {
  const clock = new HandClock();
  const store = new MemoryStore();
  const address = { host: "127.0.0.1", port: 1, apiPort: 2, tags: {} };
  const members = { "t-1": address, "t-2": address };
  const record = newRecord({ cluster: "t", founder: "t-1", ttlMs: 1e9, members, sync: founded });
  const leader = { member: "t-1", renewals: 0, lsn: null, timeline: null };
  await store.write({ record: { ...record, term: 1, leader }, expected: null, durable: true });
  const keeper = new LeaseKeeper({
    store,
    clock,
    member: "t-1",
    oldestTerm: () => 0,
    position: () => ({ lsn: null, timeline: null }),
    onChange: () => {},
    onStoreTrouble: () => {},
    sending: () => () => {},
    isConfirmedByAll: async () => true,
  });
  await keeper.refresh();
  await keeper.renew();
  assert.ok(keeper.holdsLease);
  const logged: NewEntry[] = [];
  const log = { write: (entry: NewEntry) => void logged.push(entry) };
  let told = founded;
  const member = { name: "t-1", keeper, clock, log } as unknown as ConstructorParameters<
    typeof SyncWish
  >[0]["member"];
  const agent = () => new SyncWish({ member, wish: () => told });
  let wish = agent();
  const look = async () => {
    wish.look(keeper.record);
    await settled();
  };
  return {
    keeper,
    logged,
    store,
    again: () => void (wish = agent()),
    tell: async (policy: SyncPolicy) => {
      told = policy;
      await look();
    },
    look,
    pass: async (ms: number) => {
      await clock.pass(ms);
      await look();
    },
    policy: () => {
      const { mode, required, whenUnavailable } = keeper.record?.sync ?? OFF;
      return { mode, required, whenUnavailable };
    },
  };
}

test("a wish that comes while the leader's agent runs is brought at once", async () => {
  const subject = await ground(OFF);
  await subject.look();
  await subject.tell(ON);
  assert.deepEqual(subject.policy(), ON);
  await subject.tell(TWO);
  assert.deepEqual(subject.policy(), TWO);
});

test("an old file that the next agent finds does not undo what was brought since", async () => {
  const subject = await ground(OFF);
  await subject.look();
  await subject.tell(ON);
  subject.again();
  await subject.tell(OFF);
  await subject.pass(120_000);
  assert.deepEqual(subject.policy(), ON);
  // The kubelet has brought it.
  await subject.tell(ON);
  await subject.pass(LONG_MS);
  assert.deepEqual(subject.policy(), ON);
});

test("nor one that a member finds which leads now and was told late", async () => {
  const subject = await ground(OFF);
  await subject.look();
  await subject.pass(LONG_MS);
  // By the leader before it, whose kubelet was quicker.
  await subject.keeper.change((record) => ({
    ...record,
    sync: { ...record.sync, ...ON, wished: { ...ON } },
  }));
  await subject.look();
  await subject.pass(120_000);
  assert.deepEqual(subject.policy(), ON);
});

test("a wish that came while no agent ran is brought when it has stayed", async () => {
  const subject = await ground(OFF);
  await subject.look();
  subject.again();
  await subject.tell(ON);
  assert.deepEqual(subject.policy(), OFF);
  await subject.pass(LONG_MS);
  assert.deepEqual(subject.policy(), ON);
});

test("what a person has changed since is not undone by a wish that was brought before", async () => {
  const subject = await ground(ON);
  await subject.look();
  await subject.keeper.change((record) => setSyncPolicy(record, TWO));
  subject.again();
  await subject.look();
  await subject.pass(LONG_MS);
  assert.deepEqual(subject.policy(), TWO);
});

test("a record that cannot be written is told of once, and written when it can be", async () => {
  const subject = await ground(OFF);
  await subject.look();
  const { write } = subject.store;
  subject.store.write = async () => {
    throw new UnderstudyError("STORE_UNAVAILABLE", "it fails");
  };
  for (const policy of [ON, ON, ON]) await subject.tell(policy);
  assert.deepEqual(
    subject.logged.map(({ message }) => message),
    ["it fails"],
  );
  subject.store.write = write;
  await subject.look();
  assert.deepEqual(subject.policy(), ON);
});
