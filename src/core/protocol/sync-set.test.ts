import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { quorumsOf, subsets } from "../../../test/support/quorums.ts";
import {
  CLOSED,
  NOBODY,
  implies,
  isSameQuorum,
  quorumOf,
  type Guarantee,
  type Quorum,
} from "./quorum.ts";
import { nextSyncStep, wantedQuorum, type SyncSituation, type SyncView } from "./sync-set.ts";

const OTHERS = ["b", "c", "d"];

const QUORUMS = quorumsOf(OTHERS);

function guarantees(): (Guarantee | null)[] {
  return QUORUMS.flatMap((quorum): (Guarantee | null)[] =>
    quorum.required === 0
      ? [null]
      : subsets(quorum.members).map((renewed) => {
          const { required, members } = quorum;
          return { required, members, renewed };
        }),
  );
}

/** Every state in which a leader may find things, whoever died before. */
function allSituations(): SyncSituation[] {
  return [...QUORUMS, CLOSED].flatMap((setting) =>
    guarantees()
      .filter((guarantee) => implies(setting, guarantee ?? NOBODY))
      .flatMap((guarantee) => QUORUMS.map((wanted) => ({ setting, guarantee, wanted }))),
  );
}

/** What must hold between any two steps, and while a step is under way. */
function checkStep(situation: SyncSituation): SyncSituation | null {
  const { setting, guarantee } = situation;
  const step = nextSyncStep(situation);
  if (step === null) return null;
  const at = JSON.stringify({ situation, step });
  if (step.kind === "setting") {
    // Until the barrier PostgreSQL may acknowledge by either.
    assert(implies(setting, guarantee ?? NOBODY), at);
    assert(implies(step.quorum, guarantee ?? NOBODY), at);
    return { ...situation, setting: step.quorum };
  }
  assert(implies(setting, step.guarantee ?? NOBODY), at);
  if (!step.needsProof) {
    assert(implies(guarantee ?? NOBODY, step.guarantee ?? NOBODY), at);
    // Who lost its data is forgotten by nothing but a proof, or by not being counted on any more.
    const kept = guarantee?.renewed.filter((name) => step.guarantee?.members.includes(name)) ?? [];
    assert.deepEqual(step.guarantee?.renewed ?? [], kept, at);
  }
  return { ...situation, guarantee: step.guarantee };
}

test("from every state to every wanted one: each step keeps the promise, and four are enough", () => {
  const situations = allSituations();
  assert(situations.length > 1_000, `${situations.length} states`);
  for (const begin of situations) {
    let at: SyncSituation = begin;
    for (let steps = 0; ; steps += 1) {
      assert(steps <= 4, `no end from ${JSON.stringify(begin)}`);
      const next = checkStep(at);
      if (next === null) break;
      at = next;
    }
    assert(isSameQuorum(at.setting, begin.wanted), JSON.stringify(begin));
    assert(isSameQuorum(at.guarantee ?? NOBODY, begin.wanted), JSON.stringify(begin));
    assert.deepEqual(at.guarantee?.renewed ?? [], [], JSON.stringify(begin));
  }
});

function kindsOfSteps(from: Quorum, wanted: Quorum): string[] {
  const kinds: string[] = [];
  const guarantee = from.required === 0 ? null : { ...from, renewed: [] };
  let at: SyncSituation | null = { setting: from, guarantee, wanted };
  for (; at !== null; at = checkStep(at)) {
    const step = nextSyncStep(at);
    if (step !== null) kinds.push(step.kind);
  }
  return kinds;
}

test("the order: more is waited for before it is promised, less is promised before it is waited for", () => {
  const one = quorumOf(1, ["b"]);
  const oneOfTwo = quorumOf(1, ["b", "c"]);
  const two = quorumOf(2, ["b", "c"]);
  assert.deepEqual(kindsOfSteps(NOBODY, one), ["setting", "record"]);
  assert.deepEqual(kindsOfSteps(one, NOBODY), ["record", "setting"]);
  assert.deepEqual(kindsOfSteps(one, oneOfTwo), ["record", "setting"]);
  assert.deepEqual(kindsOfSteps(oneOfTwo, one), ["setting", "record"]);
  assert.deepEqual(kindsOfSteps(oneOfTwo, two), ["setting", "record"]);
  assert.deepEqual(kindsOfSteps(two, oneOfTwo), ["record", "setting"]);
  // One for another: first either of them will do, then only the new one.
  assert.deepEqual(kindsOfSteps(one, quorumOf(1, ["c"])), ["record", "setting", "record"]);
});

const ON = { mode: "on", required: 1, whenUnavailable: "block" } as const;

function view(change: Partial<SyncView>): SyncView {
  const usual = { policy: ON, inForce: 1, waitsFor: 0, live: ["b"], ready: ["b"], isShort: false };
  return { ...usual, ...change };
}

test("it comes into force when so many have caught up, and not before", () => {
  const two = { ...ON, required: 2 };
  assert.deepEqual(wantedQuorum(view({ inForce: 0, live: ["b", "c"], ready: [] })), NOBODY);
  assert.deepEqual(
    wantedQuorum(view({ inForce: 0, live: ["b", "c"], ready: ["c"] })),
    quorumOf(1, ["b", "c"]),
  );
  assert.deepEqual(
    wantedQuorum(view({ policy: two, live: ["b", "c"], ready: ["c"] })),
    quorumOf(1, ["b", "c"]),
  );
  assert.deepEqual(
    wantedQuorum(view({ policy: two, live: ["b", "c"], ready: ["b", "c"] })),
    quorumOf(2, ["b", "c"]),
  );
});

test("what was raised stands while those who connect anew for it are away for a moment", () => {
  for (const whenUnavailable of ["block", "degrade"] as const) {
    const policy = { mode: "on", required: 2, whenUnavailable } as const;
    const raised = { policy, waitsFor: 2, live: ["b", "c"], ready: [] };
    assert.deepEqual(wantedQuorum(view(raised)), quorumOf(2, ["b", "c"]));
    assert.deepEqual(wantedQuorum(view({ ...raised, live: ["b"] })), quorumOf(1, ["b"]));
  }
});

test("who blocks waits with what is promised, however long nobody is there", () => {
  assert.equal(wantedQuorum(view({ live: [], ready: [], isShort: true })), null);
  assert.equal(
    wantedQuorum(view({ policy: { ...ON, required: 2 }, inForce: 2, ready: ["b"], isShort: true })),
    null,
  );
});

test("who degrades goes on with what there is, after a while, and comes back", () => {
  const policy = { mode: "on", required: 2, whenUnavailable: "degrade" } as const;
  assert.equal(wantedQuorum(view({ policy, inForce: 2 })), null);
  assert.deepEqual(wantedQuorum(view({ policy, inForce: 2, isShort: true })), quorumOf(1, ["b"]));
  assert.deepEqual(
    wantedQuorum(view({ policy, inForce: 2, live: [], ready: [], isShort: true })),
    NOBODY,
  );
  assert.deepEqual(wantedQuorum(view({ policy, inForce: 0 })), quorumOf(1, ["b"]));
  const back = { live: ["b", "c"], ready: ["b", "c"] };
  assert.deepEqual(wantedQuorum(view({ policy, inForce: 1, ...back })), quorumOf(2, ["b", "c"]));
});

test("a person's word for less, or for none, holds at once", () => {
  assert.deepEqual(wantedQuorum(view({ policy: { ...ON, mode: "off" } })), NOBODY);
  assert.deepEqual(wantedQuorum(view({ inForce: 2, live: ["b"], ready: [] })), quorumOf(1, ["b"]));
});

test("whatever is wanted can be met by those who are live", () => {
  const views = fc.record({
    live: fc.subarray(OTHERS),
    caughtUp: fc.subarray(OTHERS),
    inForce: fc.nat(3),
    waitsFor: fc.nat(3),
    required: fc.integer({ min: 1, max: 3 }),
    isShort: fc.boolean(),
    whenUnavailable: fc.constantFrom("block", "degrade"),
  });
  fc.assert(
    fc.property(views, ({ required, whenUnavailable, caughtUp, ...seen }) => {
      const { live, inForce } = seen;
      const ready = caughtUp.filter((name) => live.includes(name));
      const policy = { mode: "on", required, whenUnavailable } as const;
      const wanted = wantedQuorum({ ...seen, policy, ready });
      if (wanted === null) return;
      assert(wanted.required <= Math.min(required, wanted.members.length));
      assert(wanted.members.every((name) => live.includes(name)));
      if (whenUnavailable === "block") assert(wanted.required >= Math.min(inForce, required));
    }),
  );
});
