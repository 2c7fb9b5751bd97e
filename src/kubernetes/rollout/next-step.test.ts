import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { nextStep, type RolloutMember } from "./next-step.ts";

function member(name: string, change: Partial<RolloutMember> = {}): RolloutMember {
  const usual = {
    isCurrent: true,
    isReady: true,
    isBusy: false,
    isPrimary: false,
    mayLead: true,
    heirRank: 0,
    staysPrimary: false,
    isTold: true,
  };
  return { name, ...usual, ...change };
}

const OLD = { isCurrent: false };
const PRIMARY = { isPrimary: true };

test("standbys go first, from the last on, and the primary hands over before it goes", () => {
  const members = [
    member("izdb-1", { ...OLD, ...PRIMARY }),
    member("izdb-2", OLD),
    member("izdb-3", OLD),
  ];
  assert.deepEqual(nextStep(members), { kind: "replace", member: "izdb-3" });
  const lastOne = [member("izdb-1", { ...OLD, ...PRIMARY }), member("izdb-2"), member("izdb-3")];
  assert.deepEqual(nextStep(lastOne), { kind: "switchover", from: "izdb-1", to: "izdb-2" });
  const handedOver = [member("izdb-1", OLD), member("izdb-2", PRIMARY), member("izdb-3")];
  assert.deepEqual(nextStep(handedOver), { kind: "replace", member: "izdb-1" });
});

test("while a member is away nothing else is taken down", () => {
  const away = [
    member("izdb-1", PRIMARY),
    member("izdb-2", OLD),
    member("izdb-3", { isReady: false }),
  ];
  assert.deepEqual(nextStep(away), { kind: "wait", why: "izdb-3 is not ready" });
});

test("a member that is down for what it is gets what it is to be", () => {
  const broken = { ...OLD, isReady: false };
  const members = [member("izdb-1", PRIMARY), member("izdb-2", broken), member("izdb-3", OLD)];
  assert.deepEqual(nextStep(members), { kind: "replace", member: "izdb-2" });
  assert.equal(nextStep([member("izdb-1", { ...broken, ...PRIMARY })]).kind, "wait");
  const copying = { ...broken, isBusy: true };
  assert.equal(nextStep([member("izdb-1", PRIMARY), member("izdb-2", copying)]).kind, "wait");
});

test("a primary that nobody can follow is replaced in place", () => {
  assert.deepEqual(nextStep([member("izdb-1", { ...OLD, ...PRIMARY })]), {
    kind: "replace",
    member: "izdb-1",
  });
  const tagged = [member("izdb-1", { ...OLD, ...PRIMARY }), member("izdb-2", { mayLead: false })];
  assert.deepEqual(nextStep(tagged), { kind: "replace", member: "izdb-1" });
});

test("a primary hands over to the best, and waits where nobody is near enough", () => {
  const old = member("izdb-1", { ...OLD, ...PRIMARY });
  const far = member("izdb-2", { heirRank: null });
  const near = [member("izdb-3", { heirRank: 1 }), member("izdb-4", { heirRank: 0 })];
  assert.deepEqual(nextStep([old, far, ...near]), {
    kind: "switchover",
    from: "izdb-1",
    to: "izdb-4",
  });
  const why = "no standby is near enough to take the part of izdb-1";
  assert.deepEqual(nextStep([old, far]), { kind: "wait", why });
});

test("a primary whose values become lower is restarted where it is, and hands over to nobody", () => {
  const lowers = { ...OLD, ...PRIMARY, staysPrimary: true };
  const members = [member("izdb-1", lowers), member("izdb-2")];
  assert.deepEqual(nextStep(members), { kind: "replace", member: "izdb-1" });
});

test("nobody hands over before all have been told, and until then it is not done", () => {
  const late = member("izdb-2", { isTold: false });
  const why = "izdb-2 has not been told of it yet";
  assert.deepEqual(nextStep([member("izdb-1", { ...OLD, ...PRIMARY }), late]), {
    kind: "wait",
    why,
  });
  assert.deepEqual(nextStep([member("izdb-1", PRIMARY), late]), { kind: "wait", why });
});

/** What becomes of the members by a step; whoever is away comes back while one waits. */
function after(members: readonly RolloutMember[]): RolloutMember[] | null {
  const step = nextStep(members);
  if (step.kind === "done") return null;
  return members.map((each) => {
    return Object.assign({}, each, changeOf(each, step));
  });
}

function changeOf(each: RolloutMember, step: ReturnType<typeof nextStep>): Partial<RolloutMember> {
  if (step.kind === "switchover") return { isPrimary: each.name === step.to };
  if (step.kind === "wait") return { isReady: true, isBusy: false, isTold: true, heirRank: 0 };
  const isReplaced = step.kind === "replace" && step.member === each.name;
  return isReplaced ? { isReady: false, isCurrent: true } : {};
}

test("from every state it ends, takes down one ready member at most at a time, and hands over once", () => {
  const state = fc.record({
    isCurrent: fc.boolean(),
    isReady: fc.boolean(),
    isBusy: fc.boolean(),
    mayLead: fc.boolean(),
    heirRank: fc.constantFrom(null, 0, 1),
    staysPrimary: fc.boolean(),
    isTold: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(state, { minLength: 1, maxLength: 6 }), fc.nat(), (states, at) => {
      let members: RolloutMember[] | null = states.map((each, index) =>
        Object.assign({ name: `m${index}`, isPrimary: index === at % states.length }, each),
      );
      let switchovers = 0;
      for (let steps = 0; members !== null; steps += 1) {
        assert.ok(steps < 40, "it ends");
        const step = nextStep(members);
        const replaced = members.find(
          ({ name }) => step.kind === "replace" && step.member === name,
        );
        if (replaced?.isReady === true)
          assert.ok(
            members.every(({ isReady }) => isReady),
            "nobody else is away",
          );
        if (replaced?.isPrimary === true)
          assert.ok(
            replaced.staysPrimary ||
              members.every(({ isPrimary, mayLead }) => isPrimary || !mayLead),
          );
        if (step.kind === "switchover") switchovers += 1;
        members = after(members);
      }
      assert.ok(switchovers <= 1);
    }),
  );
});
