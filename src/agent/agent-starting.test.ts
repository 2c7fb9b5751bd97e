import assert from "node:assert/strict";
import { test } from "node:test";
import { HandClock, settled } from "../../test/support/hand-clock.ts";
import type { Ground } from "../core/protocol/situation.ts";
import { newRecord, type ClusterRecord } from "../core/record.ts";
import { Agent, type AgentOptions, type LoopMember } from "./agent.ts";

const nothing = async () => {};

function at(port: number) {
  return { host: "127.0.0.1", port, apiPort: port + 1_000, tags: {} };
}

function followersRecord(): ClusterRecord {
  const members = { "t-1": at(6431), "t-2": at(6432) };
  const made = newRecord({ cluster: "t", founder: "t-1", ttlMs: 5_000, members });
  const leader = { member: "t-1", renewals: 0, lsn: null, timeline: 2 };
  return { ...made, systemId: "7", heir: null, leader };
}

test("a server that comes up while nobody waits for it is followed by at once, not with the next tick", async () => {
  const clock = new HandClock();
  let ground: Ground = "starting";
  let followed = 0;
  const keeper = { record: followersRecord(), holdsLease: false, begin: nothing };
  const member = {
    name: "t-2",
    clock,
    keeper,
    event: () => {},
    memory: { rememberTerm: nothing },
    log: { write: () => {} },
    server: { reload: nothing },
    session: { close: nothing },
  } as unknown as LoopMember;
  const effects = { follow: async () => void (followed += 1) };
  const agent = new Agent({
    member,
    observe: async () => ground,
    leaderIsGone: () => false,
    effects: effects as unknown as AgentOptions<LoopMember>["effects"],
    rereadFile: nothing,
  });
  void agent.run();
  await settled();
  ground = "standby";
  await clock.pass(100);
  await settled();
  assert.equal(followed, 1);
});
