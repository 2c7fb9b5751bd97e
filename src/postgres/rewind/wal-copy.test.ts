import assert from "node:assert/strict";
import { test } from "node:test";
import { parseLsn } from "../../core/lsn.ts";
import { segmentsOf, walBytesOf } from "./wal-copy.ts";

const SEGMENT = 16 * 1024 * 1024;

function part(from: string, to: string): Parameters<typeof segmentsOf>[0] {
  return { timeline: 2, from: parseLsn(from), to: parseLsn(to), segmentBytes: SEGMENT };
}

test("the segments are those from the switch point's to the last byte's", () => {
  assert.deepEqual(segmentsOf(part("0/3000060", "0/3000148")), ["000000020000000000000003"]);
  assert.deepEqual(segmentsOf(part("0/3FFFFF8", "0/5000001")), [
    "000000020000000000000003",
    "000000020000000000000004",
    "000000020000000000000005",
  ]);
});

test("a part that ends on a border needs nothing of the next segment", () => {
  assert.deepEqual(segmentsOf(part("0/3000060", "0/4000000")), ["000000020000000000000003"]);
  assert.deepEqual(segmentsOf(part("0/FF000028", "1/0")), ["0000000200000000000000FF"]);
  assert.deepEqual(segmentsOf(part("1/0", "1/28")), ["000000020000000100000000"]);
});

test("bytes are those of whole segments", () => {
  assert.equal(walBytesOf(part("0/3FFFFF8", "0/5000001")), 3 * SEGMENT);
});
