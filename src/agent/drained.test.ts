import assert from "node:assert/strict";
import { test } from "node:test";
import type { Lsn } from "../core/lsn.ts";
import { Drained } from "./drained.ts";

const at = (position: number) => BigInt(position) as Lsn;

test("what was drained is known for its term, its member, and as long as it is here", () => {
  const drained = new Drained();
  drained.add(3, { from: "demo-1", endLsn: at(100), timeline: 2, savedBytes: 40 });
  assert.equal(drained.find(3, { from: "demo-1", position: at(100) })?.savedBytes, 40);
  assert.equal(drained.find(3, { from: "demo-2", position: at(100) }), null);
  assert.equal(drained.find(3, { from: "demo-1", position: at(99) }), null);
  assert.equal(drained.find(4, { from: "demo-1", position: at(100) }), null);
  assert.equal(drained.find(3, { from: "demo-1", position: at(100) }), null, "forgotten since");
});
