import assert from "node:assert/strict";
import { test } from "node:test";
import type { Entry } from "../agent/journal.ts";
import { mergeJournals } from "./merge-journals.ts";

function entry(event: string, at: string, order?: Entry["order"]): Entry {
  return { at, member: "demo-1", event, message: event, ...(order === undefined ? {} : { order }) };
}

function names(journals: readonly (readonly Entry[])[]): string[] {
  return mergeJournals(journals).map(({ event }) => event);
}

test("entries of several members are put in the order of their time", () => {
  const one = [entry("a", "2026-01-01T00:00:00Z"), entry("c", "2026-01-01T00:00:02Z")];
  const other = [entry("b", "2026-01-01T00:00:01Z"), entry("d", "2026-01-01T00:00:03Z")];
  assert.deepEqual(names([one, other]), ["a", "b", "c", "d"]);
  assert.deepEqual(names([]), []);
});

test("a wall clock that is set back between two entries does not change their order", () => {
  const one = [
    entry("a", "2026-01-01T05:00:00Z", { boot: "x", ms: 10 }),
    entry("c", "2026-01-01T04:00:00Z", { boot: "x", ms: 30 }),
  ];
  const other = [
    entry("b", "2026-01-01T05:00:01Z", { boot: "x", ms: 20 }),
    entry("d", "2026-01-01T04:00:01Z", { boot: "x", ms: 40 }),
  ];
  assert.deepEqual(names([one, other]), ["a", "b", "c", "d"]);
});

test("counts of two boots are not compared, and a journal keeps its own order in any case", () => {
  const one = [
    entry("a", "2026-01-01T05:00:00Z", { boot: "x", ms: 900 }),
    entry("b", "2026-01-01T04:00:00Z"),
  ];
  const other = [entry("c", "2026-01-01T05:00:01Z", { boot: "y", ms: 5 })];
  assert.deepEqual(names([one, other]), ["a", "b", "c"]);
});
