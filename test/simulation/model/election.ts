// The effects by which another member comes to lead, on models: the same order of steps as in
// src/agent/effects/election.ts and save-wal.ts; who wins is decided by the real arithmetic.
import type { EffectContext } from "../../../src/agent/effects/effect.ts";
import { reachOf } from "../../../src/agent/reach.ts";
import { formatLsn } from "../../../src/core/lsn.ts";
import {
  lacksNewestFork,
  termOfTimeline,
  type Ballot,
} from "../../../src/core/protocol/election.ts";
import { lossOf, type WalPath } from "../../../src/core/protocol/wal-loss.ts";
import { openElection, takeElectedLease } from "../../../src/core/record-changes.ts";
import type { ModelMember } from "./member.ts";
import type { ModelServer } from "./server.ts";
import type { Steps } from "./steps.ts";
import { endOf, historyOf, isPrefix, toLsn } from "./wal.ts";

const ANSWER_LIMIT_MS = 500;
const PATIENCE_MS = 3_000;

type Context = EffectContext<ModelMember>;

/** As stepDown; the server is started where nobody else could lead. */
export async function stepDown(
  steps: Steps,
  context: Context,
  start: () => Promise<void>,
): Promise<void> {
  const { member, record } = context;
  steps.killOrphans(member);
  const ballots = await askOthers(context);
  if (!ballots.some((ballot) => ballot.kind === "up" && !ballot.barred)) return start();
  const gone = { member: member.name, term: record.term };
  const opened = await member.keeper.change((current) => openElection(current, gone));
  if (opened !== null) member.event({ event: "stepped-down", message: "" });
}

/** As freeLease. */
export async function freeLease({ member, record }: Context): Promise<void> {
  const gone = record.leader?.member ?? record.heir;
  const opened = await member.keeper.change((current) =>
    openElection(current, { member: gone, term: record.term }),
  );
  if (opened !== null) member.event({ event: "leader-gone", message: gone ?? "" });
}

/** As stand. */
export async function stand(steps: Steps, context: Context): Promise<void> {
  const { member, record, decision } = context;
  const own = ownBallot(member);
  const ballots = [own, ...(await askOthers(context))];
  const patient = member.leaderWatch.vacantForMs() < PATIENCE_MS;
  const { winner } = steps.electLeader(ballots, patient);
  if (winner !== member.name) return;
  const old = record.history.at(-1)?.member ?? null;
  const lostBytes = old === null || old === member.name ? 0 : await steps.saveWal(context, old);
  if (lostBytes !== 0 && "timelineTerm" in own && lacksNewestFork(record.forks, own)) return;
  if (old !== null && !(await steps.isHarmless(context, old))) return;
  const others = ballots.flatMap((ballot) => couldLead(member, { ballot, than: ballots[0] }));
  member.around.named({ server: member.model, others, lossReported: lostBytes !== 0 });
  const taken = await member.keeper.change((current) =>
    takeElectedLease(current, {
      member: member.name,
      term: record.term,
      position: { lsn: null, timeline: null },
      at: member.clock.wallClock(),
      reason: decision.rule,
    }),
  );
  if (taken === null) return;
  await member.memory.rememberTerm(taken.term);
  member.event({ event: `elected, ${lostBytes ?? "unknown"} bytes lost`, message: "" });
}

/** Whose WAL is proven to be of the newest line, and who has got nothing since it was asked. */
function couldLead(
  member: ModelMember,
  of: { ballot: Ballot; than: Ballot | undefined },
): ModelServer[] {
  const { ballot, than } = of;
  const server = member.around.neighbour(ballot.name)?.server;
  const data = server?.disk.data ?? null;
  if (server === undefined || data === null) return [];
  if (ballot.kind !== "up" || than === undefined || !("lsn" in than)) return [];
  const isAsItSaid = toLsn(endOf(data).lsn) === ballot.lsn;
  return isAsItSaid && ballot.timelineTerm >= than.timelineTerm ? [server] : [];
}

/** As isHarmless. */
export async function isHarmless({ member }: Context, old: string): Promise<boolean> {
  if (old === member.name || member.witness.isGone(old, { leaseHasRunOut: true })) return true;
  await member.life.sleep(member.random.between(1, 15));
  return ballotOf(member, old).kind === "up";
}

function ownBallot({ name, model, memory }: ModelMember): Ballot {
  const { data, marker } = model.disk;
  if (data === null || marker) return { kind: "gone", name };
  const rest = { name, priority: 0, barred: false };
  const { timeline, lsn } = endOf(data);
  if (model.state !== "accepting")
    return {
      kind: "down",
      ...rest,
      timeline,
      lsn: toLsn(lsn),
      timelineTerm: termOfTimeline(timeline, memory.forks),
    };
  return upBallot({ name, model, memory }, toLsn(lsn));
}

function upBallot(
  { name, model, memory }: Pick<ModelMember, "name" | "model" | "memory">,
  lsn: ReturnType<typeof toLsn>,
): Ballot {
  const { timeline } = reachOf(
    { flushLsn: formatLsn(lsn), replayLsn: null, timeline: receivedTimeline(model) },
    memory,
  );
  const timelineTerm = termOfTimeline(timeline, memory.forks);
  return { kind: "up", name, priority: 0, barred: false, timeline, timelineTerm, lsn };
}

/** What pg_stat_wal_receiver tells: it begins on its own timeline, up to that one's end. */
export function receivedTimeline({ streamsFrom, disk }: ModelServer): number | null {
  const source = streamsFrom?.disk.data ?? null;
  if (source === null || disk.data === null) return null;
  const end = endOf(disk.data);
  const left = source.ancestors.find(({ timeline }) => timeline === end.timeline);
  return left !== undefined && end.lsn < left.switchPoint ? end.timeline : endOf(source).timeline;
}

async function askOthers({ member, record }: Context): Promise<Ballot[]> {
  const ballots: Ballot[] = [];
  let isSilent = false;
  for (const name of Object.keys(record.members)) {
    if (name === member.name) continue;
    const ballot = ballotOf(member, name);
    isSilent ||= member.around.memberOf(name, member.name) === null;
    ballots.push(ballot);
  }
  // They are asked all at once; what they say may be older than the answer of the slowest.
  await member.life.sleep(isSilent ? ANSWER_LIMIT_MS : member.random.between(1, 15));
  return ballots;
}

function ballotOf(member: ModelMember, name: string): Ballot {
  const other = member.around.memberOf(name, member.name);
  if (other === null)
    return {
      kind: member.witness.isGone(name, { leaseHasRunOut: false }) ? "gone" : "silent",
      name,
    };
  const { model, disk } = other;
  if (model.state === "starting" || model.closed) return { kind: "silent", name };
  if (model.state !== "accepting" || !model.inRecovery || disk.data === null)
    return { kind: "gone", name };
  return upBallot(other, toLsn(endOf(disk.data).lsn));
}

/** As saveWal. @returns the bytes that are lost; null when that cannot be told. */
export async function saveWal({ member, signal }: Context, from: string): Promise<number | null> {
  const { around, life, random, disk } = member;
  const old = around.neighbour(from);
  if (old === null) return null;
  await life.sleep(random.between(5, 60), signal);
  // As Witness.fence: whatever is left of a member without an agent.
  if (!old.hasAgent) old.server.crash();
  const dead = old.server.disk;
  const own = disk.data;
  if (dead.data === null || dead.marker || own === null) return null;
  if (old.server.hasProcesses || member.model.state !== "accepting")
    return missing(member, old.server);
  if (isPrefix(dead.data, own)) return 0;
  if (!isPrefix(own, dead.data)) return missing(member, old.server);
  await life.sleep(random.between(10, 400), signal);
  // Asked again after the copying: it may run again.
  if (old.server.hasProcesses || member.model.state !== "accepting")
    return missing(member, old.server);
  member.model.restore(dead.data);
  return 0;
}

function missing({ memory, disk }: ModelMember, old: ModelServer): number | null {
  const [dead, own] = [pathOf(old), disk.data];
  if (dead === null || own === null) return null;
  const end = { endLsn: toLsn(endOf(own).lsn), timeline: endOf(own).timeline };
  return lossOf(dead, { ...end, forks: memory.forks, history: historyOf(own) });
}

export function pathOf({ disk }: ModelServer): WalPath | null {
  const { data, memory } = disk;
  if (data === null || disk.marker) return null;
  const { timeline, lsn } = endOf(data);
  return { timeline, endLsn: toLsn(lsn), history: historyOf(data), forks: memory?.forks ?? [] };
}
