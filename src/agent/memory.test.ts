import assert from "node:assert/strict";
import { test } from "node:test";
import { isSameFork } from "../core/fork.ts";
import { formatLsn, lsnFromBigInt, type Lsn } from "../core/lsn.ts";
import { termOfTimeline } from "../core/protocol/election.ts";
import { MemberMemory, type Remembered } from "./memory.ts";

const at = (byte: number): Lsn => lsnFromBigInt(BigInt(byte));

const BEFORE: Remembered = {
  term: 4,
  followed: { leader: "una", timeline: 3, before: 2, switchPoint: "0/100" },
  forks: [
    { timeline: 2, term: 1 },
    { timeline: 3, term: 4 },
  ],
};

function memoryThat(save: (remembered: Remembered) => Promise<void>): MemberMemory {
  return new MemberMemory({ remembered: BEFORE, save });
}

test("what is written after a promotion that could not be announced is of its term", async () => {
  const saved: Remembered[] = [];
  const memory = memoryThat(async (remembered) => void saved.push(remembered));
  await memory.rememberBeginning({ leader: "duo", term: 5, timeline: 3, lsn: at(0x900) });
  assert.equal(memory.term, 5);
  assert.equal(termOfTimeline(memory.timelineAt(at(0x901)), memory.forks), 5);
  assert.equal(termOfTimeline(7, memory.forks), 5, "PostgreSQL chose a higher number");
  assert.deepEqual(saved.at(-1)?.followed?.leader, "duo");
});

test("a timeline that it never reached does not pass for the one that it begins", async () => {
  const memory = memoryThat(async () => {});
  const forks = [...memory.forks, { timeline: 4, term: 5 }];
  const followed = { leader: "una", timeline: 4, before: 3, switchPoint: formatLsn(at(0x900)) };
  await memory.rememberPath({ followed, forks });
  await memory.rememberBeginning({ leader: "duo", term: 6, timeline: 3, lsn: at(0x900) });
  assert.equal(isSameFork(4, { member: memory.forks, primary: forks }), false);
  assert.equal(termOfTimeline(memory.timelineAt(at(0x901)), memory.forks), 6);
});

test("nothing is claimed of WAL that was there before", async () => {
  const memory = memoryThat(async () => {});
  await memory.rememberBeginning({ leader: "duo", term: 5, timeline: 3, lsn: at(0x900) });
  assert.equal(memory.timelineAt(at(0x900)), 3);
  assert.equal(termOfTimeline(3, memory.forks), 4);
});

test("asked again within a term it is one timeline, and after a restart another", async () => {
  let writes = 0;
  const memory = memoryThat(async () => void (writes += 1));
  const begun = { leader: "duo", term: 5, lsn: at(0x900) };
  await memory.rememberBeginning({ ...begun, timeline: 3 });
  await memory.rememberBeginning({ ...begun, timeline: 3 });
  assert.equal(writes, 1);
  assert.deepEqual(memory.forks.slice(2), [{ timeline: 4, term: 5 }]);
  await memory.rememberBeginning({ ...begun, timeline: 4 });
  assert.deepEqual(memory.forks.slice(2), [
    { timeline: 4, term: 5 },
    { timeline: 5, term: 5 },
  ]);
});

test("what two ask for at one time is written once", async () => {
  let writes = 0;
  const memory = memoryThat(async () => void (writes += 1));
  await Promise.all([memory.rememberTerm(9), memory.rememberTerm(9)]);
  assert.deepEqual([writes, memory.term], [1, 9]);
});

test("who cannot write it down is told so, and knows no more than before", async () => {
  const memory = memoryThat(() => Promise.reject(new Error("no space left on device")));
  const asked = memory.rememberBeginning({ leader: "duo", term: 5, timeline: 3, lsn: at(0x900) });
  await assert.rejects(asked, /no space/);
  assert.deepEqual([memory.term, memory.forks.length], [4, 2]);
});
