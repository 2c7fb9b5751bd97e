// Deliberate defects of standbys that stream from standbys.
import { isKnownToFollow } from "../../src/agent/effects/follow.ts";
import { configuredUpstream } from "../../src/core/cascade.ts";
import type { Defect } from "./defect.ts";
import { chooseSource } from "./model/supply.ts";

export const CASCADE_DEFECTS: readonly Defect[] = [
  {
    name: "a standby waits for the one that it is to stream from, whatever has become of that",
    theme: "cascades",
    steps: {
      chooseSource: async ({ name }, { record, leader }) =>
        configuredUpstream(record, name) ?? leader.name,
    },
  },
  {
    name: "a standby that has gone to the primary stays there",
    theme: "cascades",
    steps: {
      chooseSource: async (member, of) => {
        const before = member.supply.upstreamIn(of.record.members);
        const chosen = await chooseSource(member, of);
        return before === of.leader.name ? before : chosen;
      },
    },
  },
  {
    name: "nothing is proven of a standby that is to stream from another standby",
    theme: "cascades",
    steps: {
      isKnownToFollow: (member, primary) =>
        configuredUpstream(primary.record, member.name) !== primary.leader.name ||
        isKnownToFollow(member, primary),
    },
  },
];
