import assert from "node:assert/strict";
import { test } from "node:test";
import { newRecord } from "../../core/record.ts";
import type { NewEntry } from "../journal.ts";
import type { EffectContext } from "./effect.ts";
import { freeLease } from "./election.ts";

const AT = { host: "127.0.0.1", port: 1, apiPort: 2, tags: {} };

test("a leader that is silent keeps its lease while it was confirmed, and the log says so", async () => {
  const members = { "t-1": AT, "t-2": AT };
  const founded = newRecord({ cluster: "t", founder: "t-1", ttlMs: 5_000, members });
  const leader = { member: "t-1", renewals: 7, lsn: null, timeline: 1 };
  const logged: NewEntry[] = [];
  const member = {
    name: "t-2",
    keeper: {
      promisedIn: () => "t-1",
      change: () => assert.fail("the record is left alone"),
    },
    witness: { isGone: () => false, hasNoServer: () => false },
    log: { write: (entry: NewEntry) => void logged.push(entry) },
  };
  const context = {
    member,
    record: { ...founded, term: 3, leader },
    decision: { rule: "leader-is-gone" },
  } as unknown as EffectContext;
  await freeLease(context);
  assert.deepEqual(
    logged.map(({ event, rule }) => [event, rule]),
    [["not-freed", "leader-is-gone"]],
  );
  assert.match(logged[0]?.message ?? "", /^t-1 is silent, .* t-2 has confirmed it/);
});
