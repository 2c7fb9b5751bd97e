import assert from "node:assert/strict";
import { test } from "node:test";
import { formatRecord, newRecord, parseRecord } from "./record.ts";
import { bringSyncWish, setSyncPolicy } from "./sync-policy.ts";

test("a wish is written where it is another, and leaves alone what is promised", () => {
  const founded = newRecord({ cluster: "izdb", founder: "izdb-1", ttlMs: 10_000, members: {} });
  const guarantee = { required: 1, members: ["izdb-2"], renewed: [] };
  const record = { ...founded, sync: { ...founded.sync, guarantee, copies: 3 } };
  const wish = { mode: "on", required: 2, whenUnavailable: "degrade" } as const;
  const changed = setSyncPolicy(record, wish);
  assert.deepEqual(changed?.sync, { ...wish, guarantee, copies: 3 });
  assert.ok(changed);
  assert.equal(setSyncPolicy(changed, wish), null);
  for (const other of [{ mode: "off" }, { required: 1 }, { whenUnavailable: "block" }] as const)
    assert.ok(setSyncPolicy(changed, { ...wish, ...other }));
});

test("a wish is brought once, whatever a person has set since", () => {
  const founded = newRecord({ cluster: "c", founder: "c-1", ttlMs: 1, members: {} });
  const wish = { mode: "on", required: 1, whenUnavailable: "block" } as const;
  const brought = bringSyncWish(founded, wish);
  assert.ok(brought !== null);
  assert.deepEqual([brought.sync.mode, brought.sync.wished], ["on", wish]);
  const changed = setSyncPolicy(brought, { ...wish, required: 2 });
  assert.ok(changed !== null);
  assert.equal(bringSyncWish(changed, wish), null);
  assert.deepEqual(parseRecord(formatRecord(changed)), changed);
});
