import assert from "node:assert/strict";
import { test } from "node:test";
import { explainRules } from "./explain.ts";
import { GROUNDS, PARTS } from "./situation.ts";

test("every situation is explained by exactly one rule, and every rule says when it fires", () => {
  const explained = explainRules();
  const cells = explained.flatMap(({ cells: of }) =>
    of.map(({ part, ground }) => `${part} ${ground}`),
  );
  assert.equal(cells.length, PARTS.length * GROUNDS.length);
  assert.equal(new Set(cells).size, cells.length);
  for (const { rule, cells: of, beside } of explained)
    assert.ok(of.length > 0 || beside !== null, `${rule} never fires`);
});
