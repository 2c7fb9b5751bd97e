import assert from "node:assert/strict";
import { test } from "node:test";
import { UnderstudyError } from "../core/errors.ts";
import { ShutOut } from "./shut-out.ts";

/** A server and a time that are set by hand. */
function world() {
  const now = { ms: 0, isFull: true, code: "53100" as string | null, logins: 0 };
  const shutOut = new ShutOut({
    clock: { nowMs: () => now.ms },
    whyNoRoom: async () => (now.isFull ? "its disk is full" : null),
    logIn: async () => {
      now.logins += 1;
      if (now.code === null) return;
      const details = { details: { code: now.code } };
      throw new UnderstudyError("CONNECTION_FAILED", "it cannot write", details);
    },
  });
  const lookFor = async (seconds: number) => {
    let seen = await shutOut.look();
    for (let passed = 0; passed < seconds; passed += 1) {
      now.ms += 1_000;
      seen = await shutOut.look();
    }
    return seen;
  };
  return { now, shutOut, lookFor };
}

test("nobody is let in for want of room for five seconds", async () => {
  const { lookFor } = world();
  assert.equal(await lookFor(4), null);
  assert.deepEqual(await lookFor(1), { forMs: 5_000, why: "its disk is full; it cannot write" });
});

test("a server that recovers, or that goes wrong, counts; one that has too many clients does not", async () => {
  const codes = { "57P03": true, XX000: true, "58030": true, "53300": false, "28P01": false };
  for (const [code, isShut] of Object.entries(codes)) {
    const { now, lookFor } = world();
    now.code = code;
    assert.equal((await lookFor(6)) !== null, isShut, code);
  }
});

test("who is not heard neither proves it nor disproves it", async () => {
  const { now, lookFor } = world();
  await lookFor(2);
  now.code = "ETIMEDOUT";
  assert.equal((await lookFor(4))?.forMs, 6_000);
  const other = world();
  other.now.code = "ETIMEDOUT";
  assert.equal(await other.lookFor(9), null);
});

test("it is over with the first login, and where there is room none is tried", async () => {
  const { now, lookFor } = world();
  await lookFor(6);
  now.code = null;
  assert.equal(await lookFor(1), null);
  now.code = "53100";
  assert.equal(await lookFor(1), null);
  now.isFull = false;
  const { logins } = now;
  assert.equal(await lookFor(9), null);
  assert.equal(now.logins, logins);
});

test("it asks once in a second, however often it is looked at", async () => {
  const { now, shutOut } = world();
  for (let time = 0; time < 10; time += 1) await shutOut.look();
  assert.equal(now.logins, 1);
});
