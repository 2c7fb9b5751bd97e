import assert from "node:assert/strict";
import { test } from "node:test";
import { dueOf, LATE_LIMIT_MS } from "./schedule.ts";

const AT = "2026-11-23T03:00:00.000Z";
const AT_MS = Date.parse(AT);

test("a time is waited for, then due for some minutes, then too late", () => {
  const scheduled = { at: AT, to: null };
  assert.deepEqual(dueOf(scheduled, AT_MS - 1), { kind: "waiting", inMs: 1 });
  assert.deepEqual(dueOf(scheduled, AT_MS), { kind: "due" });
  assert.deepEqual(dueOf(scheduled, AT_MS + LATE_LIMIT_MS), { kind: "due" });
  const byMs = LATE_LIMIT_MS + 1;
  assert.deepEqual(dueOf(scheduled, AT_MS + byMs), { kind: "late", byMs });
});

test("a time that cannot be read is never due", () => {
  assert.equal(dueOf({ at: "at night", to: null }, AT_MS).kind, "late");
});
