import assert from "node:assert/strict";
import { test } from "node:test";
import { followingAgent } from "../../test/support/following-agent.ts";
import { settled } from "../../test/support/hand-clock.ts";
import type { Ground } from "../core/protocol/situation.ts";

test("a server that comes up while nobody waits for it is followed by at once, not with the next tick", async () => {
  let ground: Ground = "starting";
  let followed = 0;
  const follow = async () => void (followed += 1);
  const { agent, clock } = followingAgent({ ground: () => ground, follow });
  void agent.run();
  await settled();
  ground = "standby";
  await clock.pass(100);
  await settled();
  assert.equal(followed, 1);
});
