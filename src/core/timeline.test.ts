import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { formatLsn, lsnFromBigInt, parseLsn } from "./lsn.ts";
import {
  FIRST_TIMELINE,
  historyFileName,
  isBeginningOf,
  parseTimelineHistory,
  relationTo,
  type TimelineHistory,
} from "./timeline.ts";

const lsns = fc.bigInt({ min: 0n, max: 1n << 50n }).map(lsnFromBigInt);

/** Histories as PostgreSQL writes them: rising timelines that end at rising positions. */
const histories: fc.Arbitrary<TimelineHistory> = fc
  .array(lsns, { minLength: 1, maxLength: 30 })
  .map((points) => ({
    timeline: points.length + 1,
    ancestors: points
      .toSorted((a, b) => (a < b ? -1 : 1))
      .map((switchPoint, index) => ({ timeline: index + 1, switchPoint, reason: "no recovery" })),
  }));

function textOf(history: TimelineHistory): string {
  return history.ancestors
    .map(
      ({ timeline, switchPoint, reason }) =>
        `${timeline}\t${formatLsn(switchPoint)}\t${reason}\n\n`,
    )
    .join("");
}

function historyOf(timeline: number, ...points: string[]): TimelineHistory {
  const ancestors = points.map((point, place) => ({
    timeline: place + 1,
    switchPoint: parseLsn(point),
    reason: "",
  }));
  return { timeline, ancestors };
}

describe("a timeline's history", () => {
  it("is read as PostgreSQL writes it, with any number of entries", () => {
    fc.assert(
      fc.property(histories, (history) => {
        const read = parseTimelineHistory({ timeline: history.timeline, text: textOf(history) });
        assert.deepEqual(read, history);
      }),
    );
  });

  it("may have comments, blank lines and entries without a reason", () => {
    const text = "# a comment\n\n1\t0/3000060\n  2  0/5000000  before 2026-11-22 12:00:00+00\n";
    assert.deepEqual(parseTimelineHistory({ timeline: 3, text }).ancestors, [
      { timeline: 1, switchPoint: parseLsn("0/3000060"), reason: "" },
      { timeline: 2, switchPoint: parseLsn("0/5000000"), reason: "before 2026-11-22 12:00:00+00" },
    ]);
  });

  it("leaves no timeline later than those after it", () => {
    // As PostgreSQL 15 wrote it: promoted at 0/1527BB0, while it headed for a timeline 2 that was
    // to begin at 0/F000000.
    const text =
      "1\t0/F000000\tno recovery target specified\n\n2\t0/1527BB0\tno recovery target specified\n";
    const history = parseTimelineHistory({ timeline: 3, text });
    assert.deepEqual(
      history.ancestors.map(({ switchPoint }) => formatLsn(switchPoint)),
      ["0/1527BB0", "0/1527BB0"],
    );
    const ahead = { timeline: 1, endLsn: parseLsn("0/A000000") };
    assert.equal(relationTo({ history, writeLsn: parseLsn("0/B000000") }, ahead).kind, "diverged");
  });

  it("begins another one that went on from it, and none that was forked elsewhere", () => {
    const whole = historyOf(3, "0/1000", "0/2000");
    assert(isBeginningOf(whole, whole));
    assert(isBeginningOf(historyOf(2, "0/1000"), whole));
    assert(isBeginningOf(FIRST_TIMELINE, whole));
    assert(!isBeginningOf(historyOf(2, "0/1008"), whole));
    assert(!isBeginningOf(historyOf(3, "0/1000"), whole), "a 3 that was forked from 1");
    assert(!isBeginningOf(historyOf(4, "0/1000", "0/2000", "0/3000"), whole));
  });

  it("is not guessed from a malformed line", () => {
    for (const text of ["one\t0/1\tx", "1\tnowhere\tx", "1", "0/1\t1"])
      assert.throws(() => parseTimelineHistory({ timeline: 2, text }), { code: "INTERNAL" }, text);
  });

  it("has a file named by eight hexadecimal digits", () => {
    assert.equal(historyFileName(2), "00000002.history");
    assert.equal(historyFileName(42), "0000002A.history");
    assert.equal(historyFileName(0xffffffff), "FFFFFFFF.history");
  });
});

describe("a member's relation to the primary's history", () => {
  const history: TimelineHistory = {
    timeline: 3,
    ancestors: [
      { timeline: 1, switchPoint: parseLsn("0/1000"), reason: "" },
      { timeline: 2, switchPoint: parseLsn("0/2000"), reason: "" },
    ],
  };
  const primary = { history, writeLsn: parseLsn("0/3000") };
  const relation = (timeline: number, end: string) =>
    relationTo(primary, { timeline, endLsn: parseLsn(end) });

  it("is behind up to the very switch point, and diverged from the next byte on", () => {
    assert.deepEqual(relation(1, "0/1000"), { kind: "behind" });
    assert.deepEqual(relation(1, "0/1001"), {
      kind: "diverged",
      switchPoint: parseLsn("0/1000"),
      bytes: 1,
    });
    assert.deepEqual(relation(2, "0/1800"), { kind: "behind" });
    assert.equal(relation(2, "0/2001").kind, "diverged");
  });

  it("is measured by the primary's own position on its own timeline", () => {
    assert.deepEqual(relation(3, "0/3000"), { kind: "behind" });
    assert.equal(relation(3, "0/3001").kind, "diverged");
    const first = { history: FIRST_TIMELINE, writeLsn: parseLsn("0/10") };
    assert.equal(relationTo(first, { timeline: 1, endLsn: parseLsn("0/10") }).kind, "behind");
  });

  it("is unrelated for a timeline that the history does not name, however low its number", () => {
    assert.deepEqual(relation(4, "0/0"), { kind: "unrelated" });
    const branch = {
      history: { timeline: 3, ancestors: history.ancestors.slice(0, 1) },
      writeLsn: parseLsn("0/9"),
    };
    assert.deepEqual(relationTo(branch, { timeline: 2, endLsn: parseLsn("0/0") }), {
      kind: "unrelated",
    });
  });

  it("is one of behind and diverged for each timeline in the history, and tells the bytes in excess", () => {
    fc.assert(
      fc.property(histories, lsns, fc.nat(), (any, endLsn, choice) => {
        const ancestor = any.ancestors[choice % any.ancestors.length];
        assert.ok(ancestor);
        const member = { timeline: ancestor.timeline, endLsn };
        const found = relationTo({ history: any, writeLsn: lsnFromBigInt(1n << 60n) }, member);
        const excess = endLsn - ancestor.switchPoint;
        if (excess <= 0n) assert.deepEqual(found, { kind: "behind" });
        else
          assert.deepEqual(found, {
            kind: "diverged",
            switchPoint: ancestor.switchPoint,
            bytes: Number(excess),
          });
      }),
    );
  });
});
