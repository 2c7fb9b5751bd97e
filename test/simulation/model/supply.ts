// From whom a modelled standby streams: chosen by the real code (src/agent/effects/supply.ts) from
// what the other agents say of themselves. No server removes WAL here, so nobody is diverted.
import { isKnownToFollow } from "../../../src/agent/effects/follow.ts";
import { nameSource } from "../../../src/agent/effects/supply.ts";
import { writableLeader, type Leader } from "../../../src/agent/member.ts";
import type { Neighbour } from "../../../src/core/protocol/upstream.ts";
import type { ClusterRecord } from "../../../src/core/record.ts";
import { reachedTimeline, receivedTimeline } from "./election.ts";
import type { ModelMember } from "./member.ts";

const ANSWER_LIMIT_MS = 500;

export interface StreamStatus {
  readonly name: string;
  /** That it may follow the leader that it knows was proven, and it is on that one's timeline. */
  readonly isStreaming: boolean;
  readonly timeline: number | null;
  readonly upstream: string | null;
}

/** As chooseSource. @returns whom it is to stream from now. */
export function chooseSource(
  member: ModelMember,
  of: { record: ClusterRecord; leader: Leader },
): Promise<string> {
  const { record, leader } = of;
  const isStreaming = receivedTimeline(member.model) === leader.timeline;
  const ask = () => askNeighbours(member, of);
  return nameSource(member, { record, leader: leader.name, isStreaming, ask });
}

/** Where its settings point from now on. */
export function pointAt({ keeper, supply }: ModelMember, upstream: string | null): void {
  supply.pointAt(keeper.record?.members[upstream ?? ""] ?? null);
}

/** As isStreaming in src/agent/member-look.ts, and what a status tells beside it. */
export function tellStream(member: ModelMember): StreamStatus {
  const { name, model, keeper, supply } = member;
  const { record } = keeper;
  const leader = writableLeader(record);
  const upstream = supply.upstreamIn(record?.members ?? {}) ?? leader?.name ?? null;
  const isUp =
    model.state === "accepting" && !model.closed && !model.isFrozen && !model.door.isShut;
  if (record === null || leader === null || !isUp || member.ground() !== "standby")
    return { name, isStreaming: false, timeline: null, upstream: null };
  const mayBePromoted = keeper.holdsLease || model.promotionAsked;
  const isStreaming =
    !mayBePromoted &&
    isKnownToFollow(member, { leader, record }) &&
    receivedTimeline(model) === leader.timeline;
  return { name, isStreaming, timeline: reachedTimeline(member), upstream };
}

async function askNeighbours(
  member: ModelMember,
  { record, leader }: { record: ClusterRecord; leader: Leader },
): Promise<Neighbour[]> {
  const others = Object.keys(record.members).filter((name) => name !== member.name);
  const answers = others.map((to) =>
    member.around
      .askAgent(member, { to, limitMs: ANSWER_LIMIT_MS, answer: tellStream })
      .catch(() => null),
  );
  const told = (await Promise.all(answers)).filter((answer) => answer !== null);
  return told.map(({ name, isStreaming, timeline, upstream }) => ({
    name,
    isStreaming: isStreaming && timeline === leader.timeline,
    upstream,
  }));
}
