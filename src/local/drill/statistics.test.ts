import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import {
  acceptedTwice,
  longestGap,
  median,
  missingRows,
  spreadOf,
  type Acknowledgement,
} from "./statistics.ts";

const moments = fc.array(fc.integer({ min: 0, max: 10_000 }), { minLength: 1 });

describe("the longest gap", () => {
  it("is one between two neighbours, and no other is longer", () => {
    fc.assert(
      fc.property(moments, (times) => {
        const gap = longestGap(times, 0);
        const sorted = times.toSorted((one, other) => one - other);
        const steps = sorted.slice(1).map((time, at) => time - (sorted[at] ?? 0));
        assert.equal(gap?.ms, Math.max(0, ...steps));
        assert.ok(!times.some((time) => time > gap.fromMs && time < gap.toMs));
      }),
    );
  });

  it("never grows when something more is answered within the same time", () => {
    fc.assert(
      fc.property(moments, fc.nat(10_000), (times, extra) => {
        const inside = Math.min(Math.max(extra, Math.min(...times)), Math.max(...times));
        const before = longestGap(times, 0)?.ms ?? 0;
        assert.ok((longestGap([...times, inside], 0)?.ms ?? 0) <= before);
      }),
    );
  });

  it("counts what has not ended, up to the end of the watch", () => {
    assert.deepEqual(longestGap([10, 20], 500), { fromMs: 20, toMs: 500, ms: 480 });
    assert.equal(longestGap([], 500), null);
  });
});

describe("several rounds", () => {
  it("have a median between their least and their most", () => {
    fc.assert(
      fc.property(fc.array(fc.integer(), { minLength: 1 }), (numbers) => {
        const spread = spreadOf(numbers);
        assert.ok(spread !== null && spread.min <= spread.median && spread.median <= spread.max);
      }),
    );
    assert.equal(spreadOf([]), null);
    assert.equal(median([3, 1, 2]), 2);
    assert.equal(median([4, 1, 2, 3]), 2.5);
  });
});

describe("missing rows", () => {
  it("are those that no range holds, whatever the ranges", () => {
    const numbers = fc.uniqueArray(fc.nat(60));
    fc.assert(
      fc.property(numbers, numbers, numbers, (acknowledged, ofOne, ofOther) => {
        const present = [...rangesOf(1, ofOne), ...rangesOf(2, ofOther)];
        const rows = [1, 2].flatMap((writer) => acknowledged.map((n) => ({ writer, n })));
        assert.deepEqual(
          missingRows(rows, present),
          rows.filter(({ writer, n }) => !(writer === 1 ? ofOne : ofOther).includes(n)),
        );
      }),
    );
  });
});

describe("rows that two primaries accepted", () => {
  it("are none where each stops before the next begins, also when one leads again", () => {
    const rows = [row("a1", 1), row("a1", 2), row("b2", 3), row("a3", 4), row("a3", 5)];
    assert.deepEqual(acceptedTwice(rows), []);
  });

  it("are those of the earlier one, once the later one has begun", () => {
    const late = row("a1", 9);
    assert.deepEqual(acceptedTwice([row("a1", 1), row("b2", 3), late, row("b2", 10)]), [late]);
  });

  it("are told apart where both promoted themselves to one timeline", () => {
    const late = row("a2", 9);
    assert.deepEqual(acceptedTwice([row("a2", 1), row("b2", 3), late]), [late]);
  });

  it("do not depend on the order in which the answers are looked at", () => {
    const any = fc.record({
      member: fc.constantFrom("a", "b"),
      timeline: fc.integer({ min: 1, max: 3 }),
      atMs: fc.uniqueArray(fc.nat(100), { minLength: 1, maxLength: 1 }),
    });
    fc.assert(
      fc.property(fc.uniqueArray(any, { selector: ({ atMs }) => atMs[0] }), (seen) => {
        const rows = seen.map(({ member, timeline, atMs }) =>
          row(`${member}${timeline}`, atMs[0] ?? 0),
        );
        assert.deepEqual(timesOf(acceptedTwice(rows)), timesOf(acceptedTwice(rows.toReversed())));
      }),
    );
  });
});

function timesOf(rows: readonly Acknowledgement[]): number[] {
  return rows.map(({ atMs }) => atMs).toSorted();
}

/** @param reign "a2" is member a on timeline 2 */
function row(reign: string, atMs: number): Acknowledgement {
  const [member = "", timeline = ""] = reign;
  return { writer: 0, n: atMs, member, timeline: Number(timeline), atMs };
}

function rangesOf(writer: number, numbers: readonly number[]) {
  return numbers.map((n) => ({ writer, first: n, last: n }));
}
