import assert from "node:assert/strict";
import { test } from "node:test";
import { quorumsOf, subsets } from "../../../test/support/quorums.ts";
import { lsnFromBigInt } from "../lsn.ts";
import type { Ballot, Reach } from "./election.ts";
import {
  CLOSED,
  NOBODY,
  afterTakeover,
  aheadOnDisk,
  describeDoubt,
  doubtOf,
  implies,
  quorumOf,
  withRenewed,
  type Guarantee,
  type Quorum,
} from "./quorum.ts";

const OTHERS = ["b", "c", "d", "e"];

function isHeld({ required, members }: Quorum, holders: readonly string[]): boolean {
  return members.filter((name) => holders.includes(name)).length >= required;
}

function promise(required: number, members: string[], renewed: string[] = []): Guarantee {
  return { ...quorumOf(required, members), renewed };
}

test("one set implies another exactly where every way to meet it meets the other", () => {
  const quorums = quorumsOf(OTHERS);
  assert.equal(quorums.length, 33);
  for (const one of [...quorums, CLOSED])
    for (const other of quorums) {
      const always = subsets(OTHERS).every(
        (holders) => !isHeld(one, holders) || isHeld(other, holders),
      );
      assert.equal(implies(one, other), always, JSON.stringify({ one, other }));
    }
});

test("whoever has a commit before a takeover, as many of the set have it after", () => {
  for (const before of quorumsOf(["b", "c", "d"]))
    for (const to of ["b", "c", "d", "x"])
      for (const holders of subsets(["b", "c", "d"])) {
        if (!isHeld(before, holders)) continue;
        const after = afterTakeover({ ...before, renewed: [] }, { from: "a", to });
        // The former leader has what it acknowledged, and the new one has it, or does not lead.
        assert(isHeld(after ?? NOBODY, [...holders, "a"]), JSON.stringify({ before, to, after }));
        assert.equal(after?.members.includes(to) ?? false, false);
        assert.equal(after?.required ?? 0, before.required);
      }
});

test("a takeover after nobody had led takes nobody in, and promises so much less", () => {
  const before = promise(2, ["b", "c"], ["b"]);
  assert.deepEqual(afterTakeover(before, { from: null, to: "b" }), promise(1, ["c"]));
  assert.equal(afterTakeover(promise(1, ["b"]), { from: null, to: "b" }), null);
  assert.equal(afterTakeover(null, { from: "a", to: "b" }), null);
});

test("a member that copies the leader counts as renewed once, and only one that is counted on", () => {
  const before = promise(1, ["b", "c"]);
  const after = withRenewed(before, "c");
  assert.deepEqual(after, promise(1, ["b", "c"], ["c"]));
  assert.equal(withRenewed(after, "c"), after);
  assert.equal(withRenewed(before, "d"), before);
  assert.equal(withRenewed(null, "d"), null);
});

function reach(name: string, lsn: number, timelineTerm = 1): Reach {
  return { name, lsn: lsnFromBigInt(BigInt(lsn)), timeline: timelineTerm + 1, timelineTerm };
}

function up(name: string, lsn: number, timelineTerm = 1): Ballot {
  return { ...reach(name, lsn, timelineTerm), kind: "up", priority: 0, barred: false };
}

test("a candidate is certain exactly where fewer than required are unseen and it is not behind", () => {
  const candidate = reach("b", 100);
  const one = promise(1, ["b", "c"]);
  assert.equal(doubtOf(one, { candidate, ballots: [up("c", 100)] }), null);
  assert.deepEqual(doubtOf(one, { candidate, ballots: [up("c", 101)] }), {
    unseen: [],
    ahead: "c",
  });
  assert.deepEqual(doubtOf(one, { candidate, ballots: [{ kind: "silent", name: "c" }] }), {
    unseen: ["c"],
    ahead: null,
  });
  const two = promise(2, ["b", "c", "d"]);
  assert.equal(doubtOf(two, { candidate, ballots: [up("c", 50)] }), null);
  assert.equal(doubtOf(two, { candidate, ballots: [] })?.unseen.join(), "c,d");
  assert.equal(doubtOf(null, { candidate, ballots: [] }), null);
});

test("a member that is down is seen by its disk", () => {
  const candidate = reach("b", 100);
  const disk = (lsn: number): Ballot => ({ kind: "gone", name: "c", onDisk: reach("c", lsn) });
  const one = promise(1, ["b", "c"]);
  assert.equal(doubtOf(one, { candidate, ballots: [disk(100)] }), null);
  assert.equal(doubtOf(one, { candidate, ballots: [disk(200)] })?.ahead, "c");
});

test("what can be fetched is on disks of the set that have more, the furthest first", () => {
  const disk = (name: string, lsn: number): Ballot => ({
    kind: "gone",
    name,
    onDisk: reach(name, lsn),
  });
  const ballots = [disk("c", 150), disk("d", 200), disk("e", 50), disk("x", 999), up("f", 300)];
  const guarantee = promise(1, ["b", "c", "d", "e", "f"], []);
  const candidate = reach("b", 100);
  assert.deepEqual(aheadOnDisk(guarantee, { candidate, ballots }), ["d", "c"]);
  const renewed = { ...guarantee, renewed: ["d"] };
  assert.deepEqual(aheadOnDisk(renewed, { candidate, ballots }), ["c"]);
  assert.deepEqual(aheadOnDisk(null, { candidate, ballots }), ["x", "d", "c"]);
});

test("who is a newer copy counts as unseen, the candidate too", () => {
  const ballots = [up("c", 90)];
  const candidate = reach("b", 100);
  assert.deepEqual(doubtOf(promise(1, ["b", "c"], ["c"]), { candidate, ballots })?.unseen, ["c"]);
  assert.deepEqual(doubtOf(promise(1, ["b", "c"], ["b"]), { candidate, ballots })?.unseen, ["b"]);
});

test("a member outside of the set counts neither way, however far it has come", () => {
  const ballots = [up("c", 100), up("x", 999)];
  assert.equal(doubtOf(promise(1, ["b", "c"]), { candidate: reach("b", 100), ballots }), null);
  const outsider = { candidate: reach("x", 999), ballots: [up("b", 1), up("c", 1)] };
  assert.equal(doubtOf(promise(1, ["b", "c"]), outsider), null);
});

test("the newest leader's line counts before the position", () => {
  const ballots = [up("c", 50, 2)];
  const candidate = reach("b", 100, 1);
  assert.equal(doubtOf(promise(1, ["b", "c"]), { candidate, ballots })?.ahead, "c");
});

test("a doubt is told with the names that matter", () => {
  const guarantee = promise(1, ["b", "c"]);
  const doubt = doubtOf(guarantee, { candidate: reach("b", 1), ballots: [] });
  assert(doubt);
  assert.equal(
    describeDoubt(doubt, guarantee),
    "each acknowledged commit is on 1 of b, c, and c cannot be seen",
  );
});
