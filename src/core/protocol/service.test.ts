import assert from "node:assert/strict";
import { test } from "node:test";
import { quorumsOf, subsets } from "../../../test/support/quorums.ts";
import { CLOSED, NOBODY, implies, isSameQuorum, quorumOf, type Quorum } from "./quorum.ts";
import { firstService, nextServiceStep, OPEN, type ServiceView } from "./service.ts";

const OTHERS = ["b", "c", "d"];

function promise(quorum: Quorum) {
  return quorum.required === 0 ? null : { ...quorum, renewed: [] };
}

/** Carries out one step at once, with everybody confirming everything where `all`. */
function perform(view: ServiceView, all: boolean): ServiceView | null {
  const step = nextServiceStep(view);
  switch (step?.kind) {
    case undefined:
      return null;
    case "setting": {
      const { quorum } = step;
      const binds = view.binds && quorum.required > 0;
      return { ...view, binds, service: { ...view.service, waitsFor: quorum }, confirmed: [] };
    }
    case "see-a-commit-wait":
      assert(isSameQuorum(view.service.waitsFor, CLOSED), "somebody might confirm it");
      return { ...view, binds: true };
    case "checkpoint":
      return { ...view, binds: true };
    case "record":
      return { ...view, guarantee: step.guarantee };
    case "open":
      return { ...view, service: { waitsFor: step.quorum, isOpen: true }, confirmed: [] };
    case "await":
      return all ? { ...view, confirmed: OTHERS } : null;
  }
}

function everyStart(): ServiceView[] {
  const quorums = quorumsOf(OTHERS);
  return quorums.flatMap((guarantee) =>
    [...quorums, CLOSED]
      .filter((waitsFor) => implies(waitsFor, guarantee))
      .flatMap((waitsFor) =>
        [true, false].flatMap((isOpen) =>
          quorums.map((wanted) => ({
            service: { waitsFor, isOpen },
            guarantee: promise(guarantee),
            wanted,
            // What is promised was proven to bind, while the door is open.
            binds: isOpen && guarantee.required > 0,
            confirmed: [],
          })),
        ),
      ),
  );
}

test("from every state it comes to serve as wanted, once everybody confirms", () => {
  const starts = everyStart();
  assert(starts.length > 500, `${starts.length} starts`);
  for (const start of starts) {
    let view = start;
    for (let steps = 0; ; steps += 1) {
      assert(steps < 12, `no end from ${JSON.stringify(start)}`);
      const next = perform(view, true);
      if (next === null) break;
      view = next;
    }
    const { service, wanted, guarantee } = view;
    assert(wanted !== null && isSameQuorum(service.waitsFor, wanted), JSON.stringify(start));
    assert(isSameQuorum(guarantee ?? NOBODY, wanted), JSON.stringify(start));
    assert(service.isOpen, JSON.stringify(start));
  }
});

test("nobody is let in before commits are proven to wait and so many have confirmed as are promised", () => {
  const quorums = quorumsOf(OTHERS);
  for (const guarantee of quorums.filter(({ required }) => required > 0))
    for (const waitsFor of [...quorums, CLOSED].filter((each) => implies(each, guarantee)))
      for (const wanted of [...quorums, null])
        for (const confirmed of subsets(OTHERS))
          for (const binds of [true, false]) {
            const view = {
              service: { waitsFor, isOpen: false },
              guarantee: promise(guarantee),
              wanted,
              binds,
              confirmed,
            };
            const step = nextServiceStep(view);
            if (step?.kind !== "open") continue;
            assert(binds && implies(step.quorum, guarantee), JSON.stringify(view));
            const have = guarantee.members.filter((name) => confirmed.includes(name));
            assert(have.length >= guarantee.required, JSON.stringify(view));
          }
});

test("where nothing is promised a primary serves at once", () => {
  assert.deepEqual(firstService(null), OPEN);
  const view = { service: OPEN, guarantee: null, wanted: NOBODY, binds: false, confirmed: [] };
  assert.equal(nextServiceStep(view), null);
});

test("one that is promoted acknowledges nothing and lets nobody in, until a standby has confirmed", () => {
  const one = quorumOf(1, ["b"]);
  let view: ServiceView = {
    service: firstService(promise(one)),
    guarantee: promise(one),
    wanted: null,
    binds: false,
    confirmed: [],
  };
  assert.equal(nextServiceStep(view)?.kind, "see-a-commit-wait");
  view = { ...view, binds: true };
  assert.deepEqual(nextServiceStep(view), { kind: "await", quorum: promise(one) });
  view = { ...view, wanted: one };
  assert.deepEqual(nextServiceStep(view), { kind: "await", quorum: one });
  assert.deepEqual(nextServiceStep({ ...view, confirmed: ["b"] }), { kind: "open", quorum: one });
});

test("one that cannot have what is promised lowers the promise first, where it may degrade", () => {
  const view: ServiceView = {
    service: { waitsFor: CLOSED, isOpen: false },
    guarantee: promise(quorumOf(1, ["b"])),
    wanted: NOBODY,
    binds: true,
    confirmed: [],
  };
  assert.deepEqual(nextServiceStep(view), { kind: "record", guarantee: null });
  assert.deepEqual(nextServiceStep({ ...view, guarantee: null }), { kind: "open", quorum: NOBODY });
});

test("switched on under load it needs a checkpoint once, and the standbys' confirmation", () => {
  const one = quorumOf(1, ["b"]);
  let view: ServiceView = {
    service: { waitsFor: one, isOpen: true },
    guarantee: null,
    wanted: one,
    binds: false,
    confirmed: [],
  };
  assert.equal(nextServiceStep(view)?.kind, "checkpoint");
  view = { ...view, binds: true };
  assert.equal(nextServiceStep(view)?.kind, "await");
  assert.equal(nextServiceStep({ ...view, confirmed: ["b"] })?.kind, "record");
});
