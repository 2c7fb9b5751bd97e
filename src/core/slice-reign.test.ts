import assert from "node:assert/strict";
import { test } from "node:test";
import { isSucceeded, reignText } from "./slice-reign.ts";

const REIGN = { systemId: "7301234567890123456", term: 4 };

test("a newer term of the same data succeeds, and nothing else does", () => {
  assert.equal(isSucceeded(REIGN, { by: reignText({ ...REIGN, term: 5 }) }), true);
  for (const by of [
    undefined,
    "",
    "nonsense",
    `${REIGN.systemId}/x`,
    reignText(REIGN),
    reignText({ ...REIGN, term: 3 }),
    reignText({ systemId: "7301234567890123457", term: 9 }),
    reignText({ systemId: null, term: 9 }),
  ])
    assert.equal(isSucceeded(REIGN, { by }), false, by);
});
