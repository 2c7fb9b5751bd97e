import assert from "node:assert/strict";
import { test } from "node:test";
import { isKnownToDiffer, isSameFork, withFork, type Fork } from "./fork.ts";

const PRIMARY: readonly Fork[] = [
  { timeline: 2, term: 1 },
  { timeline: 3, term: 4 },
];

test("a timeline of the same number that another term began is another one (lesson 19)", () => {
  const member = [
    { timeline: 2, term: 1 },
    { timeline: 3, term: 3 },
  ];
  assert.equal(isSameFork(2, { member, primary: PRIMARY }), true);
  assert.equal(isSameFork(3, { member, primary: PRIMARY }), false);
});

test("what either side does not know is another one", () => {
  assert.equal(isSameFork(3, { member: [], primary: PRIMARY }), false);
  assert.equal(isSameFork(4, { member: [{ timeline: 4, term: 5 }], primary: PRIMARY }), false);
});

test("it is known to be another one only where both sides know who began it", () => {
  const member = [
    { timeline: 2, term: 1 },
    { timeline: 3, term: 3 },
  ];
  assert.equal(isKnownToDiffer(2, { member, primary: PRIMARY }), false);
  assert.equal(isKnownToDiffer(3, { member, primary: PRIMARY }), true);
  assert.equal(isKnownToDiffer(3, { member: [], primary: PRIMARY }), false);
  assert.equal(isKnownToDiffer(3, { member, primary: [] }), false);
});

test("the first timeline is always the same: initdb makes it once", () => {
  assert.equal(isSameFork(1, { member: [], primary: [] }), true);
});

test("a timeline that is begun again replaces the one of that number and all beyond it", () => {
  const forks = withFork(
    [
      { timeline: 2, term: 1 },
      { timeline: 3, term: 3 },
      { timeline: 4, term: 3 },
    ],
    { timeline: 3, term: 4 },
  );
  assert.deepEqual(forks, PRIMARY);
});

test("what is remembered is bounded, and what is older than that is left to the history files", () => {
  let forks: Fork[] = [];
  for (let timeline = 2; timeline <= 1000; timeline += 1)
    forks = withFork(forks, { timeline, term: timeline });
  assert.equal(forks.length, 50);
  assert.equal(isSameFork(5, { member: [], primary: forks }), true);
  assert.equal(isSameFork(999, { member: [], primary: forks }), false);
});
