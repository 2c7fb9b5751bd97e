import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { MEMBER_STATES } from "../member-status.ts";
import {
  TURN_PATIENCE_MS,
  whyNotYetRewound,
  type TurnNeighbour,
  type TurnQuestion,
} from "./rewind-turn.ts";

function neighbour(name: string, is: Partial<TurnNeighbour> = {}): TurnNeighbour {
  return { name, role: "none", state: "stopped", awaitsRewind: false, ...is };
}

function question(is: Partial<TurnQuestion>): TurnQuestion {
  return { self: "b", hasTurn: true, others: [], waitedMs: 0, ...is };
}

const STREAMS = neighbour("a", { role: "standby", state: "streaming" });
const WAITS = neighbour("a", { awaitsRewind: true });
const CLONES = neighbour("c", { state: "cloning" });
const IS_REWOUND = neighbour("c", { state: "rewinding" });

test("an old primary that comes back while a standby is up is rewound at once", () => {
  assert.equal(whyNotYetRewound(question({ others: [STREAMS] })), null);
  assert.equal(whyNotYetRewound(question({ others: [CLONES, STREAMS] })), null);
});

test("so is one where no other member answers: there is nothing to wait for", () => {
  assert.equal(whyNotYetRewound(question({})), null);
});

test("of two that have diverged the one that has the turn goes, and has the other's data behind it", () => {
  assert.equal(whyNotYetRewound(question({ others: [WAITS] })), null);
  const other = question({ self: "a", hasTurn: false, others: [neighbour("b")] });
  assert.match(whyNotYetRewound(other) ?? "", /another member has the turn/);
});

test("after a rewind that failed the next one waits for the copy", () => {
  assert.match(whyNotYetRewound(question({ others: [CLONES] })) ?? "", /c is not whole yet/);
  const long = question({ others: [CLONES], waitedMs: 100 * TURN_PATIENCE_MS });
  assert.match(whyNotYetRewound(long) ?? "", /c is not whole yet/);
  assert.equal(whyNotYetRewound(question({ others: [CLONES, WAITS] })), null);
});

test("what only fails is waited for, and not for ever", () => {
  const others = [neighbour("a", { state: "failed" })];
  assert.match(whyNotYetRewound(question({ others })) ?? "", /a does not stream yet/);
  assert.equal(whyNotYetRewound(question({ others, waitedMs: TURN_PATIENCE_MS })), null);
});

test("a member that a person has fenced is not waited for", () => {
  assert.equal(whyNotYetRewound(question({ others: [neighbour("a", { state: "fenced" })] })), null);
});

test("a turn whose owner is not heard of is taken for nobody's after a while, by name", () => {
  const waitedMs = TURN_PATIENCE_MS;
  const alone = question({ hasTurn: false, waitedMs });
  assert.equal(whyNotYetRewound(alone), null);
  assert.match(whyNotYetRewound({ ...alone, others: [WAITS] }) ?? "", /a goes before it/);
  assert.equal(whyNotYetRewound({ ...alone, self: "a", others: [{ ...WAITS, name: "b" }] }), null);
  const rewound = { ...alone, others: [IS_REWOUND] };
  assert.match(whyNotYetRewound(rewound) ?? "", /c is being rewound/);
});

const others = fc.uniqueArray(
  fc.record({
    name: fc.constantFrom("a", "c", "d"),
    role: fc.constantFrom("none" as const, "standby" as const),
    state: fc.constantFrom(...MEMBER_STATES.filter((state) => state !== "unreachable")),
    awaitsRewind: fc.boolean(),
  }),
  { selector: ({ name }) => name },
);

test("nobody without the turn begins while another that answers is being rewound", () => {
  fc.assert(
    fc.property(others, fc.nat(2 * TURN_PATIENCE_MS), (told, waitedMs) => {
      const asked = question({ hasTurn: false, others: [IS_REWOUND, ...told], waitedMs });
      assert.notEqual(whyNotYetRewound(asked), null);
    }),
  );
});

test("it ends: whoever has the turn goes when no copy and no rewind is under way, however others are", () => {
  fc.assert(
    fc.property(others, (told) => {
      const calm = told.filter(({ state }) => state !== "cloning" && state !== "rewinding");
      const asked = question({ others: calm, waitedMs: TURN_PATIENCE_MS });
      assert.equal(whyNotYetRewound(asked), null);
    }),
  );
});

test("of several that have waited in vain for the turn one goes, and no more", () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.constantFrom("a", "b", "c", "d"), { minLength: 1 }), (names) => {
      const going = names.filter((self) => {
        const told = names.filter((name) => name !== self);
        const waiting = told.map((name) => neighbour(name, { awaitsRewind: true }));
        const asked = { self, hasTurn: false, others: waiting, waitedMs: TURN_PATIENCE_MS };
        return whyNotYetRewound(asked) === null;
      });
      assert.equal(going.length, 1);
    }),
  );
});
