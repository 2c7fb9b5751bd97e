// What a person is told of the loss: before it, after what could be saved was saved, and where
// nothing tells.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  canBeSaved,
  describeLoss,
  describeSaving,
  lossAfter,
  losesSomething,
  type Loss,
} from "./failover-loss.ts";

const ON_DISK: Loss = {
  lossBytes: 5_000,
  lossTransactions: 1,
  isExact: true,
  doubt: null,
  savedBytes: 0,
  trouble: null,
  keepsPromise: false,
};
const FROM = { from: "t-1" };

describe("what a failover by hand loses", () => {
  it("is told as what is saved first, where the old primary's disk has it", () => {
    assert.ok(canBeSaved(ON_DISK));
    assert.equal(
      describeSaving(ON_DISK, FROM),
      "5000 bytes of WAL that it lacks, with 1 committed transaction, are saved from the disk of t-1 first",
    );
  });

  it("cannot be saved where nothing but a renewal tells of it", () => {
    assert.ok(!canBeSaved({ ...ON_DISK, isExact: false }));
    assert.ok(!canBeSaved({ ...ON_DISK, lossBytes: null }));
  });

  it("is nothing once everything was saved", () => {
    const saved = { savedBytes: 5_000, lostBytes: 0, lostTransactions: 0, trouble: null };
    const left = lossAfter(saved, ON_DISK);
    assert.ok(!losesSomething(left));
    assert.equal(
      describeLoss(left, FROM),
      "nothing is lost: 5000 bytes of WAL were saved from the disk of t-1",
    );
  });

  it("is what is left where only a part was saved, and why", () => {
    const trouble = "the disk is full";
    const saved = { savedBytes: 0, lostBytes: 300, lostTransactions: null, trouble };
    const left = lossAfter(saved, ON_DISK);
    assert.ok(losesSomething(left));
    assert.equal(
      describeLoss(left, FROM),
      "300 bytes of the old primary's WAL are lost, with an unknown number of transactions (the disk is full)",
    );
  });

  it("is what the disks tell where the standby cannot", () => {
    const trouble = "the agent does not answer";
    const saved = { savedBytes: 0, lostBytes: null, lostTransactions: null, trouble };
    assert.deepEqual(lossAfter(saved, ON_DISK), { ...ON_DISK, trouble });
  });

  it("is not told as nothing where nothing tells", () => {
    const unknown = { ...ON_DISK, lossBytes: null, isExact: false, doubt: "nobody led" };
    assert.ok(losesSomething(unknown));
    assert.equal(describeLoss(unknown, FROM), "what is lost cannot be told: nobody led");
  });
});
