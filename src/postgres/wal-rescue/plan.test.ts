import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { lsnFromBigInt, parseLsn, type Lsn } from "../../core/lsn.ts";
import { FIRST_TIMELINE, type TimelineHistory } from "../../core/timeline.ts";
import { historiesToRescue, segmentBefore, segmentsToRescue } from "./plan.ts";

const MIB = 1024 * 1024;

/** Timeline 3 left 2 in segment 5, and 2 left 1 in segment 3, of 16 MB each. */
const THIRD: TimelineHistory = {
  timeline: 3,
  ancestors: [
    { timeline: 1, switchPoint: parseLsn("0/3001000"), reason: "" },
    { timeline: 2, switchPoint: parseLsn("0/5002000"), reason: "" },
  ],
};

function namesOf(of: { from: string; to: string; history?: TimelineHistory }): string[] {
  return segmentsToRescue({
    history: of.history ?? FIRST_TIMELINE,
    position: parseLsn(of.from),
    endLsn: parseLsn(of.to),
    segmentBytes: 16 * MIB,
  }).map(({ name }) => name);
}

test("one segment, where both positions lie in it", () => {
  assert.deepEqual(namesOf({ from: "0/3000100", to: "0/3000200" }), ["000000010000000000000003"]);
});

test("nothing, where the standby has everything or more", () => {
  assert.deepEqual(namesOf({ from: "0/3000200", to: "0/3000200" }), []);
  assert.deepEqual(namesOf({ from: "0/3000300", to: "0/3000200" }), []);
});

test("WAL that ends with a segment needs nothing of the next one", () => {
  assert.deepEqual(namesOf({ from: "0/3000100", to: "0/4000000" }), ["000000010000000000000003"]);
  assert.deepEqual(namesOf({ from: "0/4000000", to: "0/4000001" }), ["000000010000000000000004"]);
});

test("a segment in which a timeline was left has the name of the newest that began in it", () => {
  assert.deepEqual(namesOf({ from: "0/2000100", to: "0/6000100", history: THIRD }), [
    "000000010000000000000002",
    "000000020000000000000003",
    "000000020000000000000004",
    "000000030000000000000005",
    "000000030000000000000006",
  ]);
});

test("the segment before a position is the one that holds the last byte before it", () => {
  const range = { history: THIRD, segmentBytes: 16 * MIB };
  const atStart = segmentBefore({ ...range, position: parseLsn("0/3000000") });
  assert.equal(atStart.name, "000000010000000000000002");
  const inside = segmentBefore({ ...range, position: parseLsn("0/3000001") });
  assert.equal(inside.name, "000000020000000000000003");
});

test("histories come newest first, and none that the standby knows", () => {
  const newest = 12;
  assert.deepEqual(historiesToRescue({ known: 12, newest }), []);
  assert.deepEqual(historiesToRescue({ known: 9, newest }), [
    "0000000C.history",
    "0000000B.history",
    "0000000A.history",
  ]);
});

test("whatever the positions and the segment size: ascending, without a gap, and all of the WAL", () => {
  const lsn = fc.bigInt({ min: 1n, max: 1n << 36n }).map((value): Lsn => lsnFromBigInt(value));
  const megabytes = fc.constantFrom(1, 2, 16, 64, 1024);
  const run = fc.integer({ min: 1, max: 200 });
  fc.assert(
    fc.property(
      lsn,
      megabytes,
      run,
      fc.integer({ min: 0, max: 99 }),
      (position, mb, parts, off) => {
        const segmentBytes = mb * MIB;
        const length = Math.floor((parts * segmentBytes * (100 - off)) / 1000) + 1;
        const endLsn = lsnFromBigInt(position + BigInt(length));
        const range = { history: FIRST_TIMELINE, position, endLsn, segmentBytes };
        const segments = segmentsToRescue(range);
        assert.ok((segments[0]?.start ?? Infinity) <= Number(position));
        assert.ok((segments[0]?.start ?? 0) + segmentBytes > Number(position));
        for (const [index, segment] of segments.entries())
          assert.equal(segment.start, (segments[0]?.start ?? 0) + index * segmentBytes);
        const last = segments.at(-1)?.start ?? 0;
        assert.ok(last < Number(endLsn) && last + segmentBytes >= Number(endLsn));
        const names = segments.map(({ name }) => name);
        assert.deepEqual(names, names.toSorted());
      },
    ),
  );
});
