import assert from "node:assert/strict";
import { test } from "node:test";
import { Pulse } from "./pulse.ts";

test("a loop that turns lives, and one that has not for half a minute hangs", () => {
  let now = 0;
  const pulse = new Pulse({ nowMs: () => now });
  assert(pulse.isBeating);
  now = 29_000;
  assert(pulse.isBeating);
  pulse.beat();
  now = 58_000;
  assert(pulse.isBeating);
  now = 60_000;
  assert(!pulse.isBeating);
  pulse.beat();
  assert(pulse.isBeating);
});
