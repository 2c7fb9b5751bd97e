import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { canServe, chooseUpstream, type UpstreamQuestion } from "./upstream.ts";

const NAMES = ["demo-1", "demo-2", "demo-3", "demo-4"] as const;

function asked(change: Partial<UpstreamQuestion> = {}): UpstreamQuestion {
  return {
    self: "demo-3",
    leader: "demo-1",
    configured: "demo-2",
    current: "demo-2",
    isStreaming: true,
    neighbours: [{ name: "demo-2", isStreaming: true, upstream: "demo-1" }],
    unusableForMs: 0,
    ...change,
  };
}

const anyNeighbours = fc
  .tuple(
    ...NAMES.map((name) =>
      fc.record({
        name: fc.constant(name),
        isStreaming: fc.boolean(),
        upstream: fc.option(fc.constantFrom(...NAMES)),
        answers: fc.boolean(),
      }),
    ),
  )
  .map((all) => all.filter(({ answers }) => answers));

test("who can serve streams from the leader through members that all stream, and not through us", () => {
  fc.assert(
    fc.property(anyNeighbours, fc.constantFrom(...NAMES), (neighbours, name) => {
      if (!canServe({ self: "demo-3", leader: "demo-1", neighbours }, name)) return;
      let at: string | null = name;
      for (let steps = 0; at !== "demo-1"; steps += 1) {
        assert.ok(steps < NAMES.length && at !== "demo-3");
        const found = neighbours.find((each) => each.name === at);
        assert.ok(found?.isStreaming);
        at = found.upstream;
      }
    }),
  );
});

test("it is always the configured one or the leader", () => {
  fc.assert(
    fc.property(
      anyNeighbours,
      fc.constantFrom(...NAMES, null),
      fc.boolean(),
      fc.nat(20_000),
      (neighbours, current, isStreaming, unusableForMs) => {
        const question = asked({ neighbours, current, isStreaming, unusableForMs });
        const chosen = chooseUpstream(question);
        assert.ok(chosen === "demo-2" || chosen === "demo-1");
        // However long it lasts, nobody stays with one that neither answers nor feeds it.
        const nothing = { ...question, neighbours: [], isStreaming: false, unusableForMs: 60_000 };
        assert.equal(chooseUpstream(nothing), "demo-1");
      },
    ),
  );
});

test("an upstream that feeds it is kept while its agent is away, and left when it is gone", () => {
  const away = { neighbours: [], unusableForMs: 60_000 };
  assert.equal(chooseUpstream(asked(away)), "demo-2");
  assert.equal(chooseUpstream(asked({ ...away, isStreaming: false })), "demo-1");
  assert.equal(
    chooseUpstream(asked({ ...away, isStreaming: false, unusableForMs: 100 })),
    "demo-2",
  );
});

test("an upstream that streams no more itself is left after a while, and taken again when it does", () => {
  const stuck = { neighbours: [{ name: "demo-2", isStreaming: false, upstream: "demo-1" }] };
  assert.equal(chooseUpstream(asked({ ...stuck, unusableForMs: 100 })), "demo-2");
  assert.equal(chooseUpstream(asked({ ...stuck, unusableForMs: 60_000 })), "demo-1");
  assert.equal(chooseUpstream(asked({ ...stuck, current: "demo-1" })), "demo-1");
  assert.equal(chooseUpstream(asked({ current: "demo-1" })), "demo-2");
});

test("two that are told to follow each other's follower make no circle", () => {
  const neighbours = [{ name: "demo-2", isStreaming: true, upstream: "demo-3" }];
  assert.equal(chooseUpstream(asked({ neighbours, current: "demo-1" })), "demo-1");
});
