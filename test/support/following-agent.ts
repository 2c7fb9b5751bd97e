// An agent's loop of a standby whose primary lives, with an effect of the test's own, on a clock
// that the test moves.
import { Agent, type AgentOptions, type LoopMember } from "../../src/agent/agent.ts";
import type { Ground } from "../../src/core/protocol/situation.ts";
import { newRecord, type ClusterRecord } from "../../src/core/record.ts";
import { HandClock } from "./hand-clock.ts";

const nothing = async () => {};

export interface Following {
  readonly clock: HandClock;
  readonly agent: Agent<LoopMember>;
}

export function followingAgent(of: {
  readonly ground: () => Ground;
  readonly follow: () => Promise<void>;
}): Following {
  const clock = new HandClock();
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
  const agent = new Agent({
    member,
    observe: async () => of.ground(),
    leaderIsGone: () => false,
    effects: { follow: of.follow } as unknown as AgentOptions<LoopMember>["effects"],
    rereadFile: nothing,
  });
  return { clock, agent };
}

function followersRecord(): ClusterRecord {
  const members = { "t-1": at(6431), "t-2": at(6432) };
  const made = newRecord({ cluster: "t", founder: "t-1", ttlMs: 5_000, members });
  const leader = { member: "t-1", renewals: 0, lsn: null, timeline: 2 };
  return { ...made, systemId: "7", heir: null, leader };
}

function at(port: number) {
  return { host: "127.0.0.1", port, apiPort: port + 1_000, tags: {} };
}
