// For how long nobody could write: from when, until when, and that it is told once.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { newRecord, type ClusterRecord } from "../core/record.ts";
import { WriteGap, describeWriteGap } from "./write-gap.ts";

const FOUNDED: ClusterRecord = newRecord({
  cluster: "t",
  founder: "t-1",
  ttlMs: 5_000,
  members: {},
});
const LED = led(4);
const FREE: ClusterRecord = { ...LED, leader: null, electing: true };
const TAKEN = led(5);

function led(term: number): ClusterRecord {
  return { ...FOUNDED, term, leader: { member: "t-1", renewals: 1, lsn: null, timeline: null } };
}

/** Free since 1,000; the one that led had been silent for 300 ms by then. */
function afterTakeover(): WriteGap {
  const gap = new WriteGap();
  gap.note(LED, { nowMs: 0, silentMs: () => assert.fail("it is not asked for") });
  gap.note(FREE, { nowMs: 1_000, silentMs: () => 300 });
  gap.note(FREE, { nowMs: 1_200, silentMs: () => assert.fail("it is asked for once") });
  gap.note(TAKEN, { nowMs: 1_500, silentMs: () => 0 });
  return gap;
}

describe("the time in which nobody could write", () => {
  it("goes on until writes are accepted, however long after the lease was taken that is", () => {
    assert.equal(afterTakeover().endMs(TAKEN, 1_600), 900);
    assert.equal(afterTakeover().endMs(TAKEN, 9_600), 8_900);
  });

  it("begins when whoever freed the lease says that writes had ended", () => {
    const ended = { member: "t-1", by: "t-2", rule: "leader-is-gone", downMs: 50 };
    assert.equal(afterTakeover().endMs({ ...TAKEN, ended }, 1_600), 650);
  });

  it("is told once for each term: a primary that starts again had taken writes in between", () => {
    const gap = afterTakeover();
    assert.notEqual(gap.endMs(TAKEN, 1_600), null);
    assert.equal(gap.endMs(TAKEN, 3_600_000), null);
  });

  it("is not known to who has not seen the lease free", () => {
    const gap = new WriteGap();
    gap.note(TAKEN, { nowMs: 0, silentMs: () => 0 });
    assert.equal(gap.endMs(TAKEN, 100), null);
    assert.equal(afterTakeover().endMs(led(6), 1_600), null);
  });

  it("is none before the first lead", () => {
    const gap = new WriteGap();
    gap.note(FOUNDED, { nowMs: 0, silentMs: () => 0 });
    assert.equal(gap.endMs(led(1), 800), null);
  });

  it("counts only while nobody leads where it is waited for", () => {
    const gap = new WriteGap();
    gap.note(FREE, { nowMs: 1_000, silentMs: () => 300 });
    assert.equal(gap.vacantForMs(1_400), 400);
    assert.equal(afterTakeover().vacantForMs(9_000), 0);
  });

  it("is a part of a sentence, or nothing", () => {
    assert.deepEqual(describeWriteGap(1_234), {
      clause: "; nobody could write for 1.23 s",
      secondsWithoutPrimary: 1.234,
    });
    assert.deepEqual(describeWriteGap(null), { clause: "", secondsWithoutPrimary: null });
  });
});
