import assert from "node:assert/strict";
import { test } from "node:test";
import { HandClock, settled } from "../../../test/support/hand-clock.ts";
import type { Lsn } from "../../core/lsn.ts";
import type { Ballot } from "../../core/protocol/election.ts";
import { awaitSuccessor } from "./await-successor.ts";

const LIMIT_MS = 3_000;
const PAUSE_AND_SOME_MS = 100;

function up(name: string, more: { barred?: boolean; delayed?: boolean } = {}): Ballot {
  const reach = { name, timeline: 1, timelineTerm: 1, lsn: 0n as Lsn, priority: 0 };
  return { kind: "up", ...reach, barred: false, ...more };
}

/** @param answers of one round; what it returns is asked for again each time */
function look(answers: (timeoutMs: number, clock: HandClock) => readonly Promise<Ballot>[]) {
  const clock = new HandClock();
  const { signal } = new AbortController();
  let outcome: boolean | null = null;
  const ask = (timeoutMs: number) => answers(timeoutMs, clock);
  void awaitSuccessor({ ask, clock, limitMs: LIMIT_MS, signal }).then((found) => {
    outcome = found;
  });
  return { clock, outcome: () => outcome };
}

const never = new Promise<Ballot>(() => {});

test("the first who can lead is enough, whatever the others do", async () => {
  const { outcome } = look(() => [never, Promise.resolve(up("t-3"))]);
  await settled();
  assert.equal(outcome(), true);
});

test("nobody is waited for where all say, or are proven, that they cannot", async () => {
  const barred = up("t-2", { barred: true });
  const delayed = up("t-3", { delayed: true });
  const gone: Ballot = { kind: "gone", name: "t-4" };
  const { outcome } = look(() => [barred, delayed, gone].map((each) => Promise.resolve(each)));
  await settled();
  assert.equal(outcome(), false);
  const alone = look(() => []);
  await settled();
  assert.equal(alone.outcome(), false);
});

test("an answer that comes late is waited for", async () => {
  const late = Promise.withResolvers<Ballot>();
  const { clock, outcome } = look((timeoutMs) => {
    assert.equal(timeoutMs, LIMIT_MS);
    return [late.promise];
  });
  await clock.pass(LIMIT_MS / 2);
  assert.equal(outcome(), null);
  late.resolve(up("t-2"));
  await settled();
  assert.equal(outcome(), true);
});

test("one whose agent is being started again is asked again", async () => {
  let isUp = false;
  const { clock, outcome } = look(() => [
    Promise.resolve(isUp ? up("t-2") : { kind: "silent", name: "t-2" }),
  ]);
  await clock.pass(LIMIT_MS / 2);
  assert.equal(outcome(), null);
  isUp = true;
  await clock.pass(100);
  assert.equal(outcome(), true);
});

test("silence that lasts ends the search", async () => {
  const { clock, outcome } = look((timeoutMs, asked) => [
    new Promise((resolve) => {
      asked.setTimer(timeoutMs, () => resolve({ kind: "silent", name: "t-2" }));
    }),
  ]);
  await clock.pass(LIMIT_MS - 1);
  assert.equal(outcome(), null);
  await clock.pass(PAUSE_AND_SOME_MS);
  assert.equal(outcome(), false);
});
