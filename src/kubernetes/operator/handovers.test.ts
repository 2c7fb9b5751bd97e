import assert from "node:assert/strict";
import { test } from "node:test";
import { Handovers } from "./handovers.ts";

const STEP = { kind: "switchover", from: "izdb-1", to: "izdb-2" } as const;

test("after a hand-over that failed no other one of that cluster is begun for minutes", () => {
  let nowMs = 1_000;
  const handovers = new Handovers(() => nowMs);
  assert.deepEqual(handovers.hold("shop/izdb", { step: STEP }), STEP);
  handovers.failed("shop/izdb", { ...STEP, thrown: new Error("izdb-2 is behind") });
  nowMs += 179_999;
  assert.deepEqual(handovers.hold("shop/izdb", { step: { ...STEP, to: "izdb-3" } }), {
    kind: "wait",
    why: "izdb-1 could not hand over to izdb-2, which is tried again after 3 minutes: izdb-2 is behind",
  });
  assert.deepEqual(handovers.hold("shop/other", { step: STEP }), STEP);
  const replace = { kind: "replace", member: "izdb-3" } as const;
  assert.deepEqual(handovers.hold("shop/izdb", { step: replace }), replace);
  nowMs += 1;
  assert.deepEqual(handovers.hold("shop/izdb", { step: STEP }), STEP);
});
