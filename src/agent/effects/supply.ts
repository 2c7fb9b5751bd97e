// From whom a standby takes its WAL: from the member that it was told to, from the primary while
// that one cannot serve it, from any other that still has what these have removed, and where nobody
// has it any more, by a new copy (lesson 33).
import { UnderstudyError } from "../../core/errors.ts";
import { configuredUpstream } from "../../core/cascade.ts";
import { formatLsn, type Lsn } from "../../core/lsn.ts";
import type { MemberStatus } from "../../core/member-status.ts";
import { slotNameOf } from "../../core/name.ts";
import { canServe, chooseUpstream, type Neighbour } from "../../core/protocol/upstream.ts";
import type { ClusterRecord, RecordMember } from "../../core/record.ts";
import { readControlData } from "../../postgres/control-data.ts";
import { requestSlot } from "../../postgres/slots.ts";
import { findWalEnd } from "../../postgres/wal-end.ts";
import { probeWalSupply, type WalSupply } from "../../postgres/wal-supply.ts";
import { loginOf, type Leader, type Member } from "../member.ts";
import { askNeighbours, type Neighbours } from "../neighbours.ts";
import { setCopyAside } from "./data-aside.ts";
import type { EffectContext } from "./effect.ts";
import { stopServer } from "./start.ts";

/** What was just started, or pointed elsewhere, is given this long to receive something. */
const STALL_MS = 3_000;
/** One that does not say whether it has the WAL is waited for so long. */
const SILENCE_MS = 30_000;
/** The end of the WAL is read from the disk, which may take long. */
const LOOK_AGAIN_MS = 10_000;

export interface Source {
  readonly name: string;
  readonly address: RecordMember;
}

type Situation = Pick<EffectContext, "member" | "record" | "signal">;

/** Whom this standby is to stream from now. */
export async function chooseSource(
  { member, record }: Situation,
  of: { leader: Leader; isStreaming: boolean },
): Promise<Source> {
  const { leader, isStreaming } = of;
  const ask = async () => neighboursOf(await askNeighbours(member, record), leader);
  const name = await nameSource(member, { record, leader: leader.name, isStreaming, ask });
  return name === leader.name ? leader : sourceNamed(name, { leader, record });
}

/** Its name; the simulation asks others in its own way. They are only asked where that matters. */
export async function nameSource(
  { name: self, supply }: Pick<Member, "name" | "supply">,
  of: {
    record: ClusterRecord;
    leader: string;
    isStreaming: boolean;
    ask: () => Promise<readonly Neighbour[]>;
  },
): Promise<string> {
  const { record, leader, isStreaming, ask } = of;
  const configured = configuredUpstream(record, self) ?? leader;
  if (configured === leader && supply.diversion === null) return leader;
  const around = { self, leader, neighbours: await ask() };
  const unusableForMs = supply.noteUsable(configured, canServe(around, configured));
  const current = supply.upstreamIn(record.members);
  const chosen = chooseUpstream({ ...around, configured, current, isStreaming, unusableForMs });
  const { diversion } = supply;
  if (diversion !== null && diversion !== chosen && canServe(around, diversion)) return diversion;
  supply.diversion = null;
  return chosen;
}

/**
 * One look at a standby that follows. Where nobody has the WAL that it needs its data is set aside,
 * so that the next pass copies the primary.
 */
export async function keepSupplied(
  situation: Situation,
  of: { leader: Leader; source: Source; stalledForMs: number },
): Promise<void> {
  const { member } = situation;
  const { leader, source, stalledForMs } = of;
  if (member.supply.diversion === null && stalledForMs < STALL_MS) return;
  const nowMs = member.clock.nowMs();
  if (nowMs - member.supply.lookedMs < LOOK_AGAIN_MS) return;
  member.supply.lookedMs = nowMs;
  if (stalledForMs === 0) return endDiversion(situation, leader);
  await requestSlot(loginAt(member, source), slotNameOf(member.name)).catch(() => {});
  const need = await endOfWal(member);
  const first = await probe(member, { source, need });
  if (first.kind !== "removed") return;
  const others = await otherSources(situation, { leader, source });
  const answers = await Promise.all(others.map((other) => probe(member, { source: other, need })));
  const server = others.find((_, at) => answers[at]?.kind === "served");
  if (server !== undefined) return divert(member, { server, source, need });
  const isUndecided = answers.some(({ kind }) => kind === "unknown");
  if (isUndecided && stalledForMs < SILENCE_MS) return;
  if (isUndecided && !answersFor(leader.name, { source, first, others, answers })) return;
  await copyAnew(situation, { leader, need });
}

interface Need {
  readonly position: Lsn;
  readonly timeline: number;
  readonly segmentBytes: number;
}

/**
 * While its server recovers what it has on disk, its own word would tell too little. A copy that
 * was never consistent needs WAL from where it began.
 */
async function endOfWal(member: Member): Promise<Need> {
  const { data } = member.paths;
  const control = await readControlData(data);
  const { walSegmentBytes: segmentBytes, redoLsn, backupStartLsn, timeline } = control;
  const end = await findWalEnd(data).catch((thrown: unknown) => {
    if (thrown instanceof UnderstudyError && thrown.code === "DATA_UNREADABLE") return null;
    throw thrown;
  });
  if (end !== null) return { position: end.endLsn, timeline: end.timeline, segmentBytes };
  const isFresh = backupStartLsn > 0n && backupStartLsn < redoLsn;
  return { position: isFresh ? backupStartLsn : redoLsn, timeline, segmentBytes };
}

function probe(member: Member, of: { source: Source; need: Need }): Promise<WalSupply> {
  return probeWalSupply(loginAt(member, of.source), of.need);
}

function loginAt(member: Member, source: Source) {
  return { ...loginOf(member, source), applicationName: `${member.name} supply` };
}

/** The leader before the standbys that stream. */
async function otherSources(
  { member, record }: Situation,
  of: { leader: Leader; source: Source },
): Promise<Source[]> {
  const { leader, source } = of;
  const neighbours = neighboursOf(await askNeighbours(member, record), leader);
  const around = { self: member.name, leader: leader.name, neighbours };
  const able = neighbours.map(({ name }) => name).filter((name) => canServe(around, name));
  return [leader.name, ...able]
    .filter((name, at, all) => name !== source.name && all.indexOf(name) === at)
    .map((name) => sourceNamed(name, { leader, record }));
}

function answersFor(
  name: string,
  of: {
    source: Source;
    first: WalSupply;
    others: readonly Source[];
    answers: readonly WalSupply[];
  },
): boolean {
  const at = of.others.findIndex((other) => other.name === name);
  const answer = of.source.name === name ? of.first : of.answers[at];
  return answer?.kind === "removed";
}

function divert(member: Member, of: { server: Source; source: Source; need: Need }): void {
  const { server, source, need } = of;
  member.supply.diversion = server.name;
  member.event({
    event: "wal-fetched-elsewhere",
    level: "warning",
    message: `${source.name} has removed the WAL that ${member.name} needs from ${formatLsn(need.position)} on; ${member.name} takes it from ${server.name} until ${source.name} can go on.`,
    details: { from: server.name, lsn: formatLsn(need.position), timeline: need.timeline },
  });
}

/** It streams from elsewhere: perhaps it has come far enough. */
async function endDiversion({ member, record }: Situation, leader: Leader): Promise<void> {
  const configured = configuredUpstream(record, member.name) ?? leader.name;
  const source = sourceNamed(configured, { leader, record });
  const answer = await probe(member, { source, need: await endOfWal(member) });
  if (answer.kind === "served") member.supply.diversion = null;
}

async function copyAnew(situation: Situation, of: { leader: Leader; need: Need }): Promise<void> {
  const { member } = situation;
  const { leader, need } = of;
  member.event({
    event: "wal-gone",
    level: "warning",
    message: `No member has the WAL that ${member.name} needs from ${formatLsn(need.position)} on, so it copies ${leader.name} anew.`,
    details: { lsn: formatLsn(need.position), timeline: need.timeline },
  });
  await stopServer(situation);
  await setCopyAside(member, situation.record.term);
}

function sourceNamed(name: string, of: { leader: Leader; record: Situation["record"] }): Source {
  const address = of.record.members[name];
  return address === undefined ? of.leader : { name, address };
}

function neighboursOf(answers: Neighbours, leader: Leader): Neighbour[] {
  return [...answers.values()].map((status) => ({
    name: status.name,
    isStreaming: isStreamingOn(status, leader),
    upstream: status.upstream,
  }));
}

function isStreamingOn(status: MemberStatus, { timeline }: Leader): boolean {
  return status.role === "standby" && status.state === "streaming" && status.timeline === timeline;
}
