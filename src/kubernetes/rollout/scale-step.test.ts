import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { nextScaleStep, type ScaleFacts } from "./scale-step.ts";

const ALL = ["m1", "m2", "m3"];

function facts(change: Partial<ScaleFacts> = {}): ScaleFacts {
  const successors = ["m2", "m3"];
  return { wanted: ALL, inRecord: ALL, withSet: ALL, primary: "m1", successors, ...change };
}

test("the last standby leaves the record first, and then its pod ends", () => {
  const fewer = facts({ wanted: ["m1", "m2"] });
  assert.deepEqual(nextScaleStep(fewer), { kind: "remove", member: "m3" });
  const removed = { ...fewer, inRecord: ["m1", "m2"] };
  assert.deepEqual(nextScaleStep(removed), { kind: "delete-set", member: "m3" });
  assert.deepEqual(nextScaleStep({ ...removed, withSet: ["m1", "m2"] }), { kind: "done" });
});

test("a primary that is to leave hands over to one that stays, or waits until it can", () => {
  const fewer = facts({ wanted: ["m1", "m2"], primary: "m3", successors: ["m2"] });
  assert.deepEqual(nextScaleStep(fewer), { kind: "switchover", from: "m3", to: "m2" });
  assert.equal(nextScaleStep({ ...fewer, successors: [] }).kind, "wait");
});

test("while nobody leads nobody leaves", () => {
  assert.equal(nextScaleStep(facts({ wanted: ["m1"], primary: null })).kind, "wait");
});

test("a new member is in the record when its pod is being made", () => {
  const more = facts({ inRecord: ["m1", "m2"], withSet: ["m1", "m2"] });
  assert.equal(nextScaleStep(more).kind, "wait");
  assert.deepEqual(nextScaleStep({ ...more, withSet: ALL }), { kind: "add", member: "m3" });
});

/** What becomes of it; the sets that are wanted are applied in any case. */
function after(now: ScaleFacts): ScaleFacts {
  const step = nextScaleStep(now);
  const withSet = [...new Set([...now.withSet, ...now.wanted])].toSorted();
  if (step.kind === "switchover") return { ...now, withSet, primary: step.to };
  if (step.kind === "add") {
    const inRecord = [...now.inRecord, step.member].toSorted();
    return { ...now, withSet, inRecord, successors: [...now.successors, step.member] };
  }
  if (step.kind === "remove")
    return { ...now, withSet, inRecord: now.inRecord.filter((name) => name !== step.member) };
  if (step.kind === "delete-set")
    return { ...now, withSet: withSet.filter((name) => name !== step.member) };
  return { ...now, withSet };
}

function names(number: number): string[] {
  return Array.from({ length: number }, (_, index) => `m${index}`);
}

test("from every number to every other it ends, and a primary is never taken away", () => {
  const count = fc.integer({ min: 1, max: 5 });
  fc.assert(
    fc.property(count, count, fc.nat(), (from, to, at) => {
      const primary = `m${at % from}`;
      const successors = names(from).filter((name) => name !== primary);
      const wanted = names(to);
      let now: ScaleFacts = {
        wanted,
        inRecord: names(from),
        withSet: names(from),
        primary,
        successors,
      };
      for (let steps = 0; nextScaleStep(now).kind !== "done"; steps += 1) {
        assert.ok(steps < 30, `it ends: ${JSON.stringify(now)}`);
        now = after(now);
        assert.ok(now.inRecord.includes(now.primary ?? ""), "the primary is in the record");
        assert.ok(
          now.inRecord.every((name) => now.withSet.includes(name)),
          "each has a pod",
        );
      }
      assert.deepEqual([now.inRecord, now.withSet], [wanted, wanted]);
    }),
  );
});
