import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { Lsn } from "../lsn.ts";
import {
  electLeader,
  formerLeaders,
  lacksNewestFork,
  whyNotChosen,
  type Ballot,
} from "./election.ts";

type Able = Extract<Ballot, { kind: "up" | "down" }>;

function entry(term: number, member: string) {
  return { term, member, timeline: null, lsn: null, at: "", reason: "" };
}

function able(name: string, lsn: bigint, change: Partial<Able> = {}): Able {
  const reach = { name, lsn: lsn as Lsn, timeline: 1, timelineTerm: 0 };
  return { kind: "up", priority: 0, barred: false, ...reach, ...change } as Able;
}

test("the standby with the most WAL wins", () => {
  assert.equal(electLeader([able("a", 10n), able("b", 20n), able("c", 15n)], true).winner, "b");
});

test("of two that are equally far the higher priority wins, then the first name", () => {
  const equal = [able("b", 10n), able("a", 10n)];
  assert.equal(electLeader(equal, true).winner, "a");
  assert.equal(electLeader([...equal, able("c", 10n, { priority: 1 })], true).winner, "c");
});

test("one that is barred never wins, but what it has counts: nobody of an older history wins either", () => {
  const barred = able("a", 99n, { barred: true });
  assert.equal(electLeader([barred, able("b", 10n)], true).winner, "b");
  const newer = able("a", 5n, { barred: true, timeline: 2, timelineTerm: 4 });
  assert.equal(electLeader([newer, able("b", 10n)], false).winner, null);
});

test("one that is delayed leads only where nobody else can, however far it has come", () => {
  const delayed = able("a", 99n, { delayed: true });
  assert.equal(electLeader([delayed, able("b", 10n)], true).winner, "b");
  assert.equal(electLeader([delayed, able("b", 10n, { kind: "down" })], true).winner, "b");
  assert.equal(electLeader([delayed, able("b", 10n, { barred: true })], true).winner, "a");
  assert.equal(electLeader([delayed], true).winner, "a");
  assert.equal(electLeader([delayed, { kind: "silent", name: "b" }], true).winner, null);
  const newer = able("a", 5n, { delayed: true, timeline: 2, timelineTerm: 4 });
  assert.equal(electLeader([newer, able("b", 10n)], true).winner, "a");
});

test("a silent member is waited for, and not for ever; one that is gone is not", () => {
  const ballots = [able("a", 10n), { kind: "silent", name: "b" }] as const;
  assert.equal(electLeader(ballots, true).winner, null);
  assert.match(electLeader(ballots, true).reason, /b does not answer/);
  assert.equal(electLeader(ballots, false).winner, "a");
  assert.equal(electLeader([able("a", 10n), { kind: "gone", name: "b" }], true).winner, "a");
});

test("a member that is up goes before one that is down, on the same history", () => {
  assert.equal(electLeader([able("a", 20n, { kind: "down" }), able("b", 10n)], true).winner, "b");
  assert.equal(electLeader([able("a", 20n, { kind: "down" })], true).winner, "a");
  const ahead = able("a", 5n, { kind: "down", timeline: 2, timelineTerm: 4 });
  assert.equal(electLeader([ahead, able("b", 10n)], true).winner, "a");
});

test("with a limit nobody wins who lacks more than that of what another has; the one that is down does then", () => {
  const down = able("a", 1000n, { kind: "down" });
  const ballots = [down, able("b", 990n), able("c", 500n)];
  assert.equal(electLeader(ballots, true).winner, "b");
  assert.equal(electLeader(ballots, true, 10).winner, "b");
  assert.equal(electLeader(ballots, true, 9).winner, "a");
  assert.equal(
    electLeader([able("a", 1000n, { barred: true }), able("b", 1n)], true, 9).winner,
    null,
  );
});

test("why the others do not lead is told of each", () => {
  const winner = able("b", 100n, { priority: 1, timelineTerm: 2 });
  const told = [
    [{ kind: "gone", name: "x" } as const, "it cannot take part"],
    [{ kind: "silent", name: "x" } as const, "it does not answer"],
    [able("x", 900n, { barred: true, timelineTerm: 2 }), "it is not to lead"],
    [able("x", 900n), "its WAL is of an earlier leader"],
    [able("x", 90n, { timelineTerm: 2 }), "it has 10 bytes less"],
    [able("x", 100n, { timelineTerm: 2, kind: "down" }), "its server is down"],
    [able("x", 100n, { timelineTerm: 2 }), "its priority is lower"],
    [able("x", 100n, { timelineTerm: 2, priority: 1 }), "it has as much, and comes after by name"],
  ] as const;
  for (const [ballot, why] of told) assert.equal(whyNotChosen(ballot, winner), why);
});

test("whoever asks, and in whatever order the answers come, the winner is the same", () => {
  const ballot = fc
    .record({
      name: fc.constantFrom("a", "b", "c", "d", "e"),
      lsn: fc.bigInt({ min: 0n, max: 3n }),
      kind: fc.constantFrom("up" as const, "down" as const),
      priority: fc.nat(2),
      barred: fc.boolean(),
      delayed: fc.boolean(),
      timeline: fc.integer({ min: 1, max: 3 }),
      timelineTerm: fc.nat(3),
    })
    .map(({ name, lsn, ...rest }) => able(name, lsn, rest));
  const ballots = fc.uniqueArray(ballot, { selector: ({ name }) => name, maxLength: 5 });
  fc.assert(
    fc.property(ballots, fc.infiniteStream(fc.nat()), (list, order) => {
      const keys = new Map(list.map(({ name }) => [name, order.next().value ?? 0]));
      const shuffled = list.toSorted((x, y) => (keys.get(x.name) ?? 0) - (keys.get(y.name) ?? 0));
      const { winner } = electLeader(list, true);
      assert.equal(electLeader(shuffled, true).winner, winner);
      const chosen = list.find(({ name }) => name === winner);
      assert.notEqual(chosen?.barred, true);
    }),
  );
});

test("who never came onto the last leader's timeline lacks what that one acknowledged", () => {
  const forks = [
    { timeline: 2, term: 1 },
    { timeline: 3, term: 4 },
  ];
  assert.equal(lacksNewestFork(forks, { timelineTerm: 1 }), true);
  assert.equal(lacksNewestFork(forks, { timelineTerm: 4 }), false);
  assert.equal(lacksNewestFork([], { timelineTerm: 0 }), false);
});

test("the disk of the last who was writable is looked at, also where another held the lease after it", () => {
  const forks = [{ timeline: 2, term: 1 }];
  assert.deepEqual(formerLeaders({ forks, history: [entry(1, "a")] }), ["a"]);
  assert.deepEqual(formerLeaders({ forks, history: [entry(1, "a"), entry(2, "b")] }), ["a", "b"]);
  assert.deepEqual(formerLeaders({ forks: [], history: [entry(1, "a")] }), ["a"]);
  assert.deepEqual(formerLeaders({ forks: [], history: [] }), []);
});
