import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { lsnFromBigInt, parseLsn, type Lsn } from "../lsn.ts";
import { FIRST_TIMELINE, type TimelineHistory } from "../timeline.ts";
import { compareReach, termOfTimeline, type Reach } from "./election.ts";
import { lossOf, type WalPath } from "./wal-loss.ts";

function at(text: string): Lsn {
  return parseLsn(text);
}

function second(switchPoint: string): TimelineHistory {
  return { timeline: 2, ancestors: [{ timeline: 1, switchPoint: at(switchPoint), reason: "" }] };
}

function onFirst(endLsn: string): WalPath {
  return { endLsn: at(endLsn), timeline: 1, history: FIRST_TIMELINE, forks: [] };
}

function onSecond(endLsn: string, of: { term: number; switchPoint?: string }): WalPath {
  const forks = [
    { timeline: 1, term: 1 },
    { timeline: 2, term: of.term },
  ];
  const history = second(of.switchPoint ?? "0/3000000");
  return { endLsn: at(endLsn), timeline: 2, history, forks };
}

test("on the first timeline the loss is the distance, and none where the candidate has all", () => {
  assert.equal(lossOf(onFirst("0/3000100"), onFirst("0/3000040")), 0xc0);
  assert.equal(lossOf(onFirst("0/3000100"), onFirst("0/3000100")), 0);
});

test("two timelines of one number that different terms began are not compared by position", () => {
  const dead = onSecond("0/3000100", { term: 2 });
  assert.equal(lossOf(dead, onSecond("0/3000200", { term: 3 })), null);
  assert.equal(lossOf(dead, onSecond("0/3000200", { term: 2 })), 0);
  assert.equal(lossOf(dead, { ...onSecond("0/3000200", { term: 2 }), forks: [] }), null);
});

test("a candidate on the timeline that the dead primary left has nothing beyond the switch point", () => {
  const dead = onSecond("0/4000000", { term: 2 });
  assert.equal(lossOf(dead, onFirst("0/3500000")), 0x1000000);
  assert.equal(lossOf(dead, onFirst("0/2000000")), 0x2000000);
  assert.equal(lossOf({ ...dead, history: null }, onFirst("0/3500000")), null);
});

test("a candidate that went on to another timeline has the dead one's up to its switch point", () => {
  const candidate = onSecond("0/9000000", { term: 2 });
  assert.equal(lossOf(onFirst("0/3000000"), candidate), 0);
  assert.equal(lossOf(onFirst("0/3000100"), candidate), 0x100);
});

test("nothing is lost only where the candidate reaches the end of the same history", () => {
  const position = fc.bigInt({ min: 0n, max: 1n << 40n }).map((value) => lsnFromBigInt(value));
  fc.assert(
    fc.property(position, position, fc.nat(3), fc.nat(3), (dead, candidate, one, other) => {
      const loss = lossOf(
        { ...onSecond("0/0", { term: one }), endLsn: dead },
        { ...onSecond("0/0", { term: other }), endLsn: candidate },
      );
      assert.equal(loss === 0, one === other && candidate >= dead);
    }),
  );
});

function reach(
  name: string,
  timelineTerm: number,
  reached: { timeline: number; lsn: string },
): Reach {
  return { name, timelineTerm, timeline: reached.timeline, lsn: parseLsn(reached.lsn) };
}

test("the term that began a timeline counts before its number, and that before the position", () => {
  const sorted = [
    reach("d", 2, { timeline: 2, lsn: "0/9000000" }),
    reach("c", 2, { timeline: 3, lsn: "0/1000000" }),
    reach("b", 4, { timeline: 2, lsn: "0/2000000" }),
    reach("a", 4, { timeline: 2, lsn: "0/3000000" }),
  ].sort(compareReach);
  assert.deepEqual(
    sorted.map(({ name }) => name),
    ["a", "b", "c", "d"],
  );
});

test("the first timeline is of no term, so that nobody is ahead on it by what it remembers", () => {
  assert.equal(termOfTimeline(1, [{ timeline: 1, term: 7 }]), 0);
  assert.equal(termOfTimeline(2, [{ timeline: 2, term: 7 }]), 7);
  assert.equal(termOfTimeline(2, []), 0);
  // It followed a restart to a timeline that was not named yet.
  assert.equal(termOfTimeline(3, [{ timeline: 2, term: 7 }]), 7);
  assert.equal(termOfTimeline(null, []), 0);
});
