// The effects by which another member comes to lead, on models: the same order of steps as in
// src/agent/effects/election.ts and save-wal.ts; who wins is decided by the real arithmetic.
import type { EffectContext } from "../../../src/agent/effects/effect.ts";
import { promisedLeader } from "../../../src/agent/confirmation.ts";
import { reachOf } from "../../../src/agent/reach.ts";
import { UnderstudyError } from "../../../src/core/errors.ts";
import { formatLsn } from "../../../src/core/lsn.ts";
import {
  formerLeaders,
  lacksNewestFork,
  termOfTimeline,
  type Ballot,
} from "../../../src/core/protocol/election.ts";
import { aheadOnDisk, describeDoubt } from "../../../src/core/protocol/quorum.ts";
import { lossOf, type WalPath } from "../../../src/core/protocol/wal-loss.ts";
import type { ClusterRecord } from "../../../src/core/record.ts";
import { isFenced, openElection, takeElectedLease } from "../../../src/core/record-changes.ts";
import type { ModelMember } from "./member.ts";
import type { Disk } from "./disk.ts";
import { reachOnDisk } from "./reach-on-disk.ts";
import type { ModelServer } from "./server.ts";
import type { Steps } from "./steps.ts";
import { endOf, historyOf, isPrefix, toLsn } from "./wal.ts";

const ANSWER_LIMIT_MS = 500;
const PATIENCE_MS = 3_000;
const LOSS_PATIENCE_MS = 15_000;
const STALL_LIMIT_MS = 10_000;

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
  const gone = { leader: member.name, heir: null, term: record.term };
  const opened = await member.keeper.change((current) => openElection(current, gone));
  if (opened !== null) member.event({ event: "stepped-down", message: "" });
}

/** As freeLease. */
export async function freeLease({ member, record }: Context): Promise<void> {
  const { term, heir } = record;
  const leader = record.leader?.member ?? null;
  const gone = leader ?? heir;
  const isProven = gone === null || member.witness.isGone(gone, { leaseHasRunOut: false });
  if (!isProven && promisedLeader(member, record) === gone) return;
  const opened = await member.keeper.change((current) =>
    openElection(current, { leader, heir, term }),
  );
  if (opened !== null) member.event({ event: "leader-gone", message: leader ?? heir ?? "" });
}

/** As stand. */
export async function stand(steps: Steps, context: Context): Promise<void> {
  const { member, record, decision } = context;
  steps.killOrphans(member);
  refuseShut(member);
  const own = ownBallot(member, record);
  const ballots = [own, ...(await askOthers(context))];
  const patient = member.leaderWatch.vacantForMs() < PATIENCE_MS;
  const { winner } = mayReturn(steps, context, ballots)
    ? { winner: member.name }
    : steps.electLeader(ballots, patient);
  if (winner !== member.name) return;
  const old = formerLeaders(record).filter((name) => name !== member.name);
  const lostBytes = await saveFromDisks(steps, context, { old, ballots });
  if (await isInDoubt(steps, context, { ballots, lostBytes })) return;
  if (await mustWait(steps, context, { old, lostBytes })) return;
  const others = ballots.flatMap((ballot) => couldLead(member, { ballot, than: own }));
  const { onlooker } = member.around;
  const named = { server: member.model, others, lossReported: lostBytes !== 0 };
  onlooker.named({ ...named, byPerson: false });
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

/** @throws UnderstudyError CONNECTION_FAILED where its agent cannot ask its own server. */
export function refuseShut({ name, model }: ModelMember): void {
  if (model.door.isShut) throw new UnderstudyError("CONNECTION_FAILED", `${name} lets nobody in`);
}

/** As mayReturn. */
function mayReturn(steps: Steps, { member, record }: Context, ballots: readonly Ballot[]): boolean {
  const { guarantee } = record.sync;
  if (guarantee === null || !formerLeaders(record).includes(member.name)) return false;
  if (member.leaderWatch.vacantForMs() < LOSS_PATIENCE_MS) return false;
  return ballots.every((ballot) => {
    if (ballot.kind !== "up" || ballot.barred) return true;
    return steps.doubtOf(guarantee, { candidate: ballot, ballots }) !== null;
  });
}

/** As saveFromDisks. @returns the bytes that are lost; null when that cannot be told. */
async function saveFromDisks(
  steps: Steps,
  context: Context,
  of: { old: readonly string[]; ballots: readonly Ballot[] },
): Promise<number | null> {
  const { old, ballots } = of;
  const { member, record } = context;
  const lostBytes = await saveAll(steps, context, old);
  if (old.length === 0 || lostBytes === 0 || record.sync.guarantee !== null) return lostBytes;
  const gone = ballots.filter(({ kind, name }) => kind === "gone" && !old.includes(name));
  const onDisk = gone.map(({ name }) => withDisk({ kind: "gone", name }, { member, record }));
  const candidate = ownBallot(member, record);
  const from = "lsn" in candidate ? aheadOnDisk(null, { candidate, ballots: onDisk }) : [];
  if (from.length === 0) return lostBytes;
  await saveAll(steps, context, from);
  return saveAll(steps, context, old);
}

/** As doubtAfter. */
async function isInDoubt(
  steps: Steps,
  context: Context,
  of: { ballots: readonly Ballot[]; lostBytes: number | null },
): Promise<boolean> {
  const { member, record } = context;
  const { ballots, lostBytes } = of;
  const { guarantee } = record.sync;
  if (guarantee === null || lostBytes === 0) return false;
  const before = ownBallot(member, record);
  if (!("lsn" in before)) return true;
  const ahead = aheadOnDisk(guarantee, { candidate: before, ballots });
  if (ahead.length > 0) await saveAll(steps, context, ahead);
  const candidate = ownBallot(member, record);
  const others = ballots.filter(({ name }) => name !== member.name);
  const doubt =
    "lsn" in candidate ? steps.doubtOf(guarantee, { candidate, ballots: others }) : null;
  if (doubt !== null)
    member.log.write({ event: "election-waits", message: describeDoubt(doubt, guarantee) });
  return doubt !== null;
}

/** As whyNotTake. */
async function mustWait(
  steps: Steps,
  context: Context,
  of: { old: readonly string[]; lostBytes: number | null },
): Promise<boolean> {
  const { old, lostBytes } = of;
  const { member, record } = context;
  const own = ownBallot(member, record);
  const lacksAll = "timelineTerm" in own && lacksNewestFork(record.forks, own);
  if (lostBytes !== 0 && lacksAll && record.sync.guarantee === null) return true;
  const isPatient = member.leaderWatch.vacantForMs() < LOSS_PATIENCE_MS;
  if (lostBytes !== null && lostBytes > 0 && isPatient) return true;
  for (const name of old) if (!(await steps.isHarmless(context, name))) return true;
  return false;
}

/** Whose WAL is proven to be of the newest line, and who has got nothing since it was asked. */
function couldLead(member: ModelMember, of: { ballot: Ballot; than: Ballot }): ModelServer[] {
  const { ballot, than } = of;
  const server = member.around.neighbour(ballot.name)?.server;
  const data = server?.disk.data ?? null;
  if (server === undefined || data === null || server === member.model) return [];
  if (ballot.kind !== "up" || ballot.barred || !("lsn" in than)) return [];
  const isAsItSaid = toLsn(endOf(data).lsn) === ballot.lsn;
  return isAsItSaid && ballot.timelineTerm >= than.timelineTerm ? [server] : [];
}

/** As isHarmless. */
export async function isHarmless(context: Context, old: string): Promise<boolean> {
  const { member } = context;
  if (old === member.name || !(old in context.record.members)) return true;
  if (member.witness.hasNoServer(old)) return true;
  return (await ballotOf(context, old)).kind === "up";
}

function ownBallot({ name, model, memory }: ModelMember, record: ClusterRecord): Ballot {
  const { data, marker } = model.disk;
  if (data === null || marker) return { kind: "gone", name };
  const { timeline, lsn } = endOf(data);
  if (model.state !== "accepting") {
    const timelineTerm = termOfTimeline(timeline, memory.forks);
    return { kind: "down", name, ...tagsOf(record, name), timeline, lsn: toLsn(lsn), timelineTerm };
  }
  return upBallot({ name, model, memory }, record);
}

function upBallot(
  { name, model, memory }: Pick<ModelMember, "name" | "model" | "memory">,
  record: ClusterRecord,
): Ballot {
  const { data } = model.disk;
  if (data === null) return { kind: "gone", name };
  const lsn = toLsn(endOf(data).lsn);
  const timeline = reachedTimeline({ model, memory });
  const timelineTerm = termOfTimeline(timeline, memory.forks);
  return { kind: "up", name, ...tagsOf(record, name), timeline, timelineTerm, lsn };
}

/** As reachAt in src/agent/own-reach.ts. */
export function reachedTimeline({
  model,
  memory,
}: Pick<ModelMember, "model" | "memory">): number | null {
  if (model.disk.data === null) return null;
  const end = endOf(model.disk.data);
  const flushLsn = formatLsn(toLsn(end.lsn));
  const received = receivedTimeline(model);
  const { timeline } = reachOf({ flushLsn, replayLsn: null, timeline: received }, memory);
  return received === null && timeline !== null ? end.timeline : timeline;
}

function tagsOf(record: ClusterRecord, name: string): { priority: number; barred: boolean } {
  const { priority = 0, nofailover = false } = record.members[name]?.tags ?? {};
  return { priority, barred: nofailover || isFenced(record, name) };
}

/** What pg_stat_wal_receiver tells: it begins on its own timeline, up to that one's end. */
export function receivedTimeline({ streamsFrom, disk }: ModelServer): number | null {
  const source = streamsFrom?.disk.data ?? null;
  if (source === null || disk.data === null) return null;
  const end = endOf(disk.data);
  const left = source.ancestors.find(({ timeline }) => timeline === end.timeline);
  return left !== undefined && end.lsn < left.switchPoint ? end.timeline : endOf(source).timeline;
}

function askOthers(context: Context): Promise<Ballot[]> {
  const { member, record } = context;
  const others = Object.keys(record.members).filter((name) => name !== member.name);
  return Promise.all(others.map((name) => ballotOf(context, name)));
}

export async function ballotOf({ member, record }: Context, name: string): Promise<Ballot> {
  try {
    const told = await member.around.askAgent(member, {
      to: name,
      limitMs: ANSWER_LIMIT_MS,
      answer: (other) => ballotAsTold(other, record),
    });
    return "lsn" in told ? told : absent(told, { member, record });
  } catch {
    const isGone = member.witness.isGone(name, { leaseHasRunOut: false });
    return absent({ kind: isGone ? "gone" : "silent", name }, { member, record });
  }
}

/** As absent. */
function absent(ballot: Absence, { member, record }: Pick<Context, "member" | "record">): Ballot {
  const { guarantee } = (member.keeper.record ?? record).sync;
  if (guarantee?.members.includes(ballot.name) !== true) return ballot;
  return withDisk(ballot, { member, record });
}

type Absence = Extract<Ballot, { kind: "gone" | "silent" }>;

function withDisk(ballot: Absence, { member, record }: Pick<Context, "member" | "record">): Ballot {
  const { name } = ballot;
  const disk = member.around.neighbour(name)?.server.disk ?? null;
  const { systemId } = record;
  const onDisk = disk === null ? null : reachOnDisk(disk, { name, systemId });
  return onDisk === null ? ballot : { ...ballot, onDisk };
}

/**
 * From what its status says: its role is what its agent last saw, its position is asked for now.
 */
function ballotAsTold(other: ModelMember, record: ClusterRecord): Ballot {
  const { name, model } = other;
  const ground = other.ground();
  // Its server does not tell its position in the time that there is for an answer.
  if (model.isFrozen || model.door.isShut) return { kind: "silent", name };
  if (ground === "starting" || ground === "closed") return { kind: "silent", name };
  // As mayBePromoted in src/agent/status.ts.
  if (ground === "standby" && (other.keeper.holdsLease || model.promotionAsked))
    return { kind: "silent", name };
  if (ground !== "standby" || model.state !== "accepting") return { kind: "gone", name };
  return upBallot(other, record);
}

/** As saveAll. @returns the bytes that are lost; null when that cannot be told. */
async function saveAll(
  steps: Steps,
  context: Context,
  from: readonly string[],
): Promise<number | null> {
  let all: number | null = 0;
  for (const name of from) {
    const one = await steps.saveWal(steps, context, name);
    all = all === null || one === null ? null : all + one;
  }
  return all;
}

/** As saveWal. */
export async function saveWal(
  steps: Pick<Steps, "leaveUpstream">,
  { member, signal }: Context,
  from: string,
): Promise<number | null> {
  const { around, life, random, disk } = member;
  const old = around.neighbour(from);
  if (old === null) return null;
  await life.sleep(random.between(5, 60), signal);
  member.witness.fence(from);
  const dead = old.server.disk;
  const own = disk.data;
  if (dead.data === null || dead.marker || own === null) return null;
  const isQuiet = () => !old.server.hasProcesses && member.model.state === "accepting";
  if (!isQuiet()) return missing(member, old.server);
  if (isPrefix(dead.data, own)) return 0;
  if (!isPrefix(own, dead.data) || disk.isFull) return missing(member, old.server);
  await life.sleep(random.between(10, 400), signal);
  // Asked again after the copying: it may run again.
  if (!isQuiet()) return missing(member, old.server);
  const before = reachedTimeline(member);
  if (endOf(own).timeline !== endOf(dead.data).timeline) steps.leaveUpstream(member);
  if (member.model.restore(dead.data))
    return rememberWay(member, { from, dead, before }).then(
      () => 0,
      () => missing(member, old.server),
    );
  await life.sleep(STALL_LIMIT_MS, signal);
  return missing(member, old.server);
}

/** As rememberWay. */
async function rememberWay(
  { memory }: ModelMember,
  of: { from: string; dead: Disk; before: number | null },
): Promise<void> {
  const { from, dead, before } = of;
  if (dead.data === null || before === null) return;
  const { timeline } = endOf(dead.data);
  if (before === timeline) return;
  const forks = (dead.memory?.forks ?? []).filter((fork) => fork.timeline <= timeline);
  const left = historyOf(dead.data).ancestors.find((ancestor) => ancestor.timeline === before);
  if (left === undefined || forks.at(-1)?.timeline !== timeline) return;
  const switchPoint = formatLsn(left.switchPoint);
  await memory.rememberPath({ followed: { leader: from, timeline, before, switchPoint }, forks });
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
