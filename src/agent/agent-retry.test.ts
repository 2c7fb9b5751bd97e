import assert from "node:assert/strict";
import { test } from "node:test";
import { followingAgent } from "../../test/support/following-agent.ts";
import { settled } from "../../test/support/hand-clock.ts";

test("what failed is tried again at once when another specification was read", async () => {
  let tried = 0;
  const follow = async () => {
    tried += 1;
    throw new Error("a setting is wrong");
  };
  const { agent, clock } = followingAgent({ ground: () => "standby", follow });
  void agent.run();
  // Each time it fails the pause before the next attempt is longer.
  await clock.pass(60_000);
  await settled();
  const before = tried;
  assert.ok(before > 1, `${before}`);
  agent.specificationRead();
  await settled();
  assert.equal(tried, before + 1);
});
