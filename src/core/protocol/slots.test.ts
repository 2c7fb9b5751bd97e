import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { lsnFromBigInt, type Lsn } from "../lsn.ts";
import {
  heldBytes,
  isOnOtherTimeline,
  neededOf,
  planSlots,
  wentBeyond,
  type KeptSlot,
  type SlotOwner,
  type SlotQuestion,
} from "./slots.ts";

const SEGMENT = 16 * 1024 * 1024;
const NAMES = ["demo_1", "demo_2", "demo_3", "demo_4"] as const;
const END = at(100);

function at(segment: number, offset = 0): Lsn {
  return lsnFromBigInt(BigInt(segment * SEGMENT + offset));
}

function asked(change: Partial<SlotQuestion> = {}): SlotQuestion {
  return {
    slots: [],
    owners: [],
    endLsn: END,
    redoLsn: at(90),
    segmentBytes: SEGMENT,
    canAdvance: true,
    capBytes: Infinity,
    freeBytes: 1000 * SEGMENT,
    ...change,
  };
}

function slot(restartLsn: Lsn | null, change: Partial<KeptSlot> = {}): KeptSlot {
  return { name: "demo_2", active: false, restartLsn, lost: false, ...change };
}

function owner(needsFrom: Lsn | null, answers = true) {
  return { member: "demo-2", slot: "demo_2", answers, needsFrom, isAlien: false };
}

const anyLsn = fc.integer({ min: 1, max: 110 * 64 }).map((part) => at(0, (part * SEGMENT) / 64));
const anySlot: fc.Arbitrary<KeptSlot> = fc
  .tuple(
    fc.constantFrom(...NAMES),
    // What the server may show: what is lost holds nothing, and what is active is not lost.
    fc.constantFrom("active", "idle", "lost", "unused"),
    anyLsn,
  )
  .map(([name, state, restartLsn]) => ({
    name,
    active: state === "active",
    restartLsn: state === "lost" || state === "unused" ? null : restartLsn,
    lost: state === "lost",
  }));
const anyOwner: fc.Arbitrary<SlotOwner> = fc
  .tuple(fc.constantFrom(...NAMES), fc.boolean(), fc.option(anyLsn), fc.boolean())
  .map(([name, answers, needsFrom, isAlien]) => ({
    slot: name,
    member: name.replace("_", "-"),
    answers,
    needsFrom: answers ? needsFrom : null,
    // Who says nothing does not say that either.
    isAlien: answers && isAlien,
  }));
const anyQuestion: fc.Arbitrary<SlotQuestion> = fc.record({
  slots: fc.uniqueArray(anySlot, { selector: ({ name }) => name }),
  owners: fc.uniqueArray(anyOwner, { selector: ({ member }) => member }),
  endLsn: fc.constant(END),
  redoLsn: fc.integer({ min: 1, max: 100 }).map((segment) => at(segment)),
  segmentBytes: fc.constant(SEGMENT),
  canAdvance: fc.boolean(),
  capBytes: fc.constantFrom(Infinity, 20 * SEGMENT),
  freeBytes: fc.constantFrom(0, 10 * SEGMENT, 1000 * SEGMENT),
});

/** What the server has when all is done. */
function done(question: SlotQuestion): SlotQuestion {
  const slots = new Map(question.slots.map((each) => [each.name, each]));
  for (const step of planSlots(question)) {
    const before = slots.get(step.slot);
    if (step.kind === "drop") slots.delete(step.slot);
    else if (step.kind === "advance") {
      assert.ok(before);
      slots.set(step.slot, { ...before, restartLsn: step.to });
    } else
      slots.set(step.slot, {
        name: step.slot,
        active: false,
        restartLsn: question.redoLsn,
        lost: false,
      });
  }
  return { ...question, slots: [...slots.values()] };
}

test("nothing that a member needs is let go of, unless the disk or the server asks for it", () => {
  fc.assert(
    fc.property(anyQuestion, (question) => {
      const after = done(question);
      for (const { slot: name, needsFrom } of question.owners) {
        const before = question.slots.find((each) => each.name === name);
        const now = after.slots.find((each) => each.name === name);
        if (before === undefined || before.restartLsn === null) continue;
        if (now === undefined || now.restartLsn === null) continue;
        const needed = needsFrom ?? before.restartLsn;
        if (before.restartLsn <= needed) assert.ok(now.restartLsn <= needed);
        // And it is never set back.
        assert.ok(now.restartLsn >= before.restartLsn);
      }
    }),
  );
});

test("an active slot is only touched when it holds more than it may", () => {
  fc.assert(
    fc.property(anyQuestion, (question) => {
      for (const step of planSlots(question)) {
        const before = question.slots.find((each) => each.name === step.slot);
        if (before?.active !== true) continue;
        assert.ok(step.kind === "drop" && step.why === "cap", JSON.stringify(step.kind));
      }
    }),
  );
});

test("every member that answers ends with a slot that holds WAL, and no one else gets one", () => {
  fc.assert(
    fc.property(anyQuestion, (question) => {
      const after = done(done(question));
      for (const { slot: name, answers, isAlien } of question.owners) {
        const now = after.slots.find((each) => each.name === name);
        if (answers && !isAlien && now?.active !== true)
          assert.notEqual(now?.restartLsn ?? null, null);
        if (!answers)
          assert.ok(now === undefined || question.slots.some((each) => each.name === name));
      }
      for (const { name, active } of after.slots)
        assert.ok(active || question.owners.some((each) => each.slot === name), name);
    }),
  );
});

test("no slot is made for a member on another's timeline of the same number, nor made anew", () => {
  fc.assert(
    fc.property(anyQuestion, (question) => {
      const isAlien = (name: string) =>
        question.owners.some((each) => each.slot === name && each.isAlien);
      for (const { kind, slot: name } of planSlots(question))
        if (kind === "create" || kind === "renew") assert.ok(!isAlien(name), kind);
    }),
  );
});

test("after a slot was dropped, made and advanced nothing is left to do", () => {
  fc.assert(
    fc.property(anyQuestion, (question) => {
      assert.deepEqual(planSlots(done(done(done(question)))), []);
    }),
  );
});

test("a slot of an absent member gives way before it takes the disk or passes the cap", () => {
  fc.assert(
    fc.property(anyQuestion, (question) => {
      for (const each of done(question).slots) {
        const of = question.owners.find((one) => one.slot === each.name);
        if (each.active || of?.answers !== false) continue;
        const freed = heldBytes(each, question.redoLsn);
        assert.ok(freed <= question.freeBytes);
        assert.ok(freed === 0 || heldBytes(each, question.endLsn) <= question.capBytes);
      }
    }),
  );
});

test("a slot follows its member, never beyond its own WAL's end, and by whole segments", () => {
  const move = (needsFrom: Lsn) =>
    planSlots(asked({ slots: [slot(at(80))], owners: [owner(needsFrom)] }));
  assert.deepEqual(move(at(95, 7)), [{ kind: "advance", slot: "demo_2", to: at(95, 7) }]);
  assert.deepEqual(move(at(120)), [{ kind: "advance", slot: "demo_2", to: END }]);
  assert.deepEqual(move(at(80, SEGMENT - 1)), []);
  assert.deepEqual(move(at(70)), []);
});

test("without advancing a slot is made anew, once that loses nothing that its member needs", () => {
  const renew = (needsFrom: Lsn) =>
    planSlots(asked({ canAdvance: false, slots: [slot(at(80))], owners: [owner(needsFrom)] }));
  assert.deepEqual(renew(at(95)), [{ kind: "renew", slot: "demo_2", member: "demo-2" }]);
  assert.deepEqual(renew(at(89)), []);
});

test("of an absent member the slot stays as it is until the cap is reached, or the disk", () => {
  const gone = { slots: [slot(at(60))], owners: [owner(null, false)] };
  assert.deepEqual(planSlots(asked(gone)), []);
  const dropped = { kind: "drop", slot: "demo_2", member: "demo-2", active: false };
  const held = 40 * SEGMENT;
  assert.deepEqual(planSlots(asked({ ...gone, capBytes: held - 1 })), [
    { ...dropped, why: "cap", heldBytes: held },
  ]);
  assert.deepEqual(planSlots(asked({ ...gone, freeBytes: 30 * SEGMENT - 1 })), [
    { ...dropped, why: "room", heldBytes: held },
  ]);
  assert.deepEqual(planSlots(asked({ ...gone, slots: [slot(null, { lost: true })] })), [
    { ...dropped, why: "lost", heldBytes: 0 },
  ]);
});

test("a lost slot is made anew for a member that is back, and one that was removed has none", () => {
  const lost = { slots: [slot(null, { lost: true })], owners: [owner(at(20))] };
  assert.deepEqual(
    planSlots(asked(lost)).map(({ kind }) => kind),
    ["drop", "create"],
  );
  assert.deepEqual(planSlots(asked({ slots: [slot(at(99))] })), [
    {
      kind: "drop",
      slot: "demo_2",
      member: null,
      why: "nobody's",
      active: false,
      heldBytes: SEGMENT,
    },
  ]);
});

test("what another needs is told on one timeline, and across the switch that is proven", () => {
  const forks = [
    { timeline: 4, term: 7 },
    { timeline: 5, term: 8 },
  ];
  const followed = { timeline: 5, before: 4, switchPoint: at(50) };
  const needs = (timeline: number, own: number, from: Lsn, timelineTerm = timeline + 3) =>
    neededOf({ timeline, timelineTerm, needsFrom: from }, { timeline: own, followed, forks });
  assert.equal(needs(5, 5, at(60)), at(60));
  // This member has received nothing of the new timeline yet; the other one leads it.
  assert.equal(needs(5, 4, at(49)), at(49));
  // The other one is still on the old timeline, perhaps beyond where it was left.
  assert.equal(needs(4, 5, at(49)), at(49));
  assert.equal(needs(4, 5, at(60)), at(50));
  assert.equal(needs(3, 5, at(40)), null, "nothing is known of the way from there");
  assert.equal(needs(6, 5, at(60)), null);
  assert.equal(needs(5, 4, at(49), 9), null, "another one's timeline of that number");
  assert.equal(
    neededOf(
      { timeline: 5, timelineTerm: 8, needsFrom: at(1) },
      { timeline: 4, followed: null, forks },
    ),
    null,
  );
});

test("a member on another timeline of the same number gets no slot (lesson 19)", () => {
  const forks = [
    { timeline: 2, term: 1 },
    { timeline: 4, term: 4 },
  ];
  assert.equal(isOnOtherTimeline({ timeline: 4, timelineTerm: 3 }, forks), true);
  assert.equal(isOnOtherTimeline({ timeline: 4, timelineTerm: 4 }, forks), false);
  assert.equal(isOnOtherTimeline({ timeline: 3, timelineTerm: 3 }, forks), false, "not known");
  assert.equal(isOnOtherTimeline({ timeline: null, timelineTerm: 0 }, forks), false);
  const stranger = { ...owner(null), isAlien: true };
  assert.deepEqual(planSlots(asked({ owners: [stranger] })), []);
});

test("a member beyond where this one's WAL left its timeline gets no slot", () => {
  const history = {
    timeline: 4,
    ancestors: [
      { timeline: 1, switchPoint: at(1), reason: "" },
      { timeline: 2, switchPoint: at(50), reason: "" },
    ],
  };
  assert.equal(wentBeyond({ timeline: 2, endLsn: at(50, 1) }, history), true);
  assert.equal(wentBeyond({ timeline: 2, endLsn: at(50) }, history), false, "it may follow");
  assert.equal(wentBeyond({ timeline: 1, endLsn: at(2) }, history), true);
  assert.equal(wentBeyond({ timeline: 4, endLsn: at(200) }, history), false, "it is further");
  assert.equal(wentBeyond({ timeline: 3, endLsn: at(200) }, history), false, "not known");
  assert.equal(wentBeyond({ timeline: 2, endLsn: null }, history), false);
  assert.equal(wentBeyond({ timeline: null, endLsn: at(60) }, history), false);
});
