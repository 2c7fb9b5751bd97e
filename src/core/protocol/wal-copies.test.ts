import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { lsnFromBigInt, type Lsn } from "../lsn.ts";
import { CROWDED, countCopies, planForCopies, type CopiesQuestion } from "./wal-copies.ts";

const SEGMENT = 16 * 1024 * 1024;

/** In the middle of a segment. */
function within(segment: number): Lsn {
  return lsnFromBigInt(BigInt(segment * SEGMENT + 1_000));
}

function file(timeline: number, segment: number): string {
  return [timeline, 0, segment]
    .map((part) => part.toString(16).padStart(8, "0"))
    .join("")
    .toUpperCase();
}

/** One number, of so many timelines. */
function files(segment: number, count: number): string[] {
  return Array.from({ length: count }, (_, at) => file(at + 1, segment));
}

function question(changes: Partial<CopiesQuestion>): CopiesQuestion {
  return {
    names: [],
    unarchived: new Set(),
    isPrimary: true,
    endLsn: within(20),
    redoLsn: within(20),
    heldFrom: within(20),
    keptSegments: 8,
    segmentBytes: SEGMENT,
    ...changes,
  };
}

const NOTHING = { leavesSegment: false, checkpoints: false };

test("a primary leaves a segment that promotions have copied several times, a standby does not", () => {
  const names = files(20, CROWDED);
  assert.deepEqual(planForCopies(question({ names })), { ...NOTHING, leavesSegment: true });
  assert.deepEqual(planForCopies(question({ names: names.slice(1) })), NOTHING);
  assert.deepEqual(planForCopies(question({ names, isPrimary: false })), NOTHING);
});

test("at a segment's beginning that segment is looked at, not the one that was just left", () => {
  const endLsn = lsnFromBigInt(BigInt(21 * SEGMENT));
  assert.deepEqual(planForCopies(question({ names: files(20, 9), endLsn })), NOTHING);
});

test("copies that nobody needs are removed by a checkpoint, on whatever member", () => {
  const names = files(11, CROWDED + 1);
  for (const isPrimary of [true, false])
    assert.deepEqual(planForCopies(question({ names, isPrimary })), {
      ...NOTHING,
      checkpoints: true,
    });
});

test("what is kept for everybody, held by a slot or not archived yet is no reason for a checkpoint", () => {
  const names = files(11, CROWDED + 1);
  assert.deepEqual(planForCopies(question({ names, keptSegments: 9 })), NOTHING);
  assert.deepEqual(planForCopies(question({ names, heldFrom: within(11) })), NOTHING);
  assert.deepEqual(planForCopies(question({ names, unarchived: new Set(names) })), NOTHING);
  assert.deepEqual(planForCopies(question({ names, heldFrom: null })).checkpoints, true);
});

test("a standby asks for restart points while slots that are made anew at them hold copies", () => {
  const held = question({ names: files(11, 9), heldFrom: within(11), isPrimary: false });
  assert.equal(planForCopies({ ...held, redoLsn: within(11) }).checkpoints, true);
  assert.equal(planForCopies(held).checkpoints, false, "there is no newer one to be had");
  assert.equal(
    planForCopies({ ...held, redoLsn: within(11), isPrimary: true }).checkpoints,
    false,
    "a primary that writes would never stop",
  );
});

test("histories, statuses and segments that are being made are no copies", () => {
  const others = ["00000002.history", "archive_status", "xlogtemp.12", `${file(1, 20)}.partial`];
  assert.equal(countCopies([...others, ...files(20, 3), file(9, 21)]), 2);
});

test("after what it asks for it asks for nothing more, whatever the size of a segment", () => {
  const megabytes = fc.constantFrom(1, 16, 64, 1024);
  const entry = fc.record({ timeline: fc.nat(40), segment: fc.nat(30) });
  const place = fc.nat(30);
  fc.assert(
    fc.property(
      fc.array(entry, { maxLength: 80 }),
      fc.record({ megabyte: megabytes, end: place, held: fc.option(place), kept: fc.nat(10) }),
      (entries, { megabyte, end, held, kept }) => {
        const segmentBytes = megabyte * 1024 * 1024;
        const at = (segment: number) => lsnFromBigInt(BigInt(segment) * BigInt(segmentBytes));
        const names = entries.map(({ timeline, segment }) =>
          nameOf({ timeline, segment, segmentBytes }),
        );
        const heldFrom = held === null ? null : at(Math.min(held, end));
        const asked = question({
          names,
          endLsn: at(end),
          heldFrom,
          keptSegments: kept,
          segmentBytes,
        });
        const { leavesSegment, checkpoints } = planForCopies(asked);
        const present = leavesSegment ? end + 1 : end;
        const horizon = Math.min(present - kept, held === null ? present : Math.min(held, end));
        const left = checkpoints
          ? names.filter((_, index) => (entries[index]?.segment ?? 0) >= horizon)
          : names;
        const again = planForCopies({ ...asked, names: left, endLsn: at(present) });
        assert.equal(checkpoints && again.checkpoints, false);
        if (leavesSegment && !entries.some(({ segment }) => segment === present))
          assert.equal(again.leavesSegment, false);
      },
    ),
  );
});

function nameOf(of: { timeline: number; segment: number; segmentBytes: number }): string {
  const perLog = 2 ** 32 / of.segmentBytes;
  return [of.timeline, Math.floor(of.segment / perLog), of.segment % perLog]
    .map((part) => part.toString(16).toUpperCase().padStart(8, "0"))
    .join("");
}
