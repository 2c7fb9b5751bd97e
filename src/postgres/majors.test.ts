import assert from "node:assert/strict";
import { test } from "node:test";
import { SUPPORTED_MAJORS } from "../core/spec.ts";
import { type MajorFacts, factsOf } from "./majors.ts";

test("what a major has brought no later one takes away", () => {
  const growing = [
    "reloadablePrimaryConninfo",
    "slotCap",
    "hasSlotAdvance",
    "hasPgPromote",
    "hasNextOid",
    "databaseStrategy",
    "hasReadReplicationSlot",
    "checksumsDefault",
    "scramDefault",
    "builtinLocaleProvider",
    "backupManifest",
    "requiresAuth",
  ] as const;
  for (const name of growing) {
    const row = SUPPORTED_MAJORS.map((major) => factsOf(major)[name]);
    assert.deepEqual(row, [...row].sort(), name);
  }
});

test("each fact begins with the major that the manual names", () => {
  assert.equal(
    firstWith((facts) => facts.recoveryFile === "standby.signal"),
    12,
  );
  assert.equal(
    firstWith((facts) => facts.walKeep === "wal_keep_size"),
    13,
  );
  assert.equal(
    firstWith((facts) => facts.slotCap),
    13,
  );
  assert.equal(
    firstWith((facts) => facts.reloadablePrimaryConninfo),
    13,
  );
  assert.equal(
    firstWith((facts) => facts.hasPgPromote),
    12,
  );
  assert.equal(
    firstWith((facts) => facts.hasNextOid),
    12,
  );
  assert.equal(
    firstWith((facts) => facts.databaseStrategy),
    15,
  );
  assert.equal(
    firstWith((facts) => facts.hasReadReplicationSlot),
    15,
  );
  assert.equal(
    firstWith((facts) => facts.builtinLocaleProvider),
    17,
  );
  assert.equal(
    firstWith((facts) => facts.checksumsDefault),
    18,
  );
});

function firstWith(has: (facts: MajorFacts) => boolean) {
  return SUPPORTED_MAJORS.find((major) => has(factsOf(major)));
}
