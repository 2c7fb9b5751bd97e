// From a primary that is gone to the next one: its lease is freed, the standbys compare themselves,
// and the best of them saves what the old primary's disk still has before it takes the lease.
import { UnderstudyError } from "../../core/errors.ts";
import { greatestLsn, parseLsnOrNull } from "../../core/lsn.ts";
import {
  electLeader,
  formerLeaders,
  lacksNewestFork,
  termOfTimeline,
  type Ballot,
} from "../../core/protocol/election.ts";
import { aheadOnDisk, describeDoubt, doubtOf } from "../../core/protocol/quorum.ts";
import { lastKnownPosition, type ClusterRecord, type RecordMember } from "../../core/record.ts";
import { isDelayed } from "../../core/cascade.ts";
import { isRunOver, signsOf } from "../../core/leader-signs.ts";
import { isFenced, openElection, takeElectedLease } from "../../core/record-changes.ts";
import { describeSharing, findSharedTablespaces } from "../../postgres/shared-tablespaces.ts";
import { clearSpool } from "../../postgres/wal-rescue/spool.ts";
import { promisedLeader } from "../confirmation.ts";
import { trustOf, type Member } from "../member.ts";
import { askReach } from "../peer.ts";
import { reachOnDisk, type Near } from "../reach-on-disk.ts";
import { ownReach } from "../own-reach.ts";
import { describeBallot, describeElection } from "./decision-record.ts";
import type { EffectContext } from "./effect.ts";
import { endDelay } from "./end-delay.ts";
import { expectedLoss, maximumLagIn, refusalOfLag } from "./lag-limit.ts";
import { saveAll, type SavedWal } from "./save-wal.ts";
import { endOrphans } from "./start.ts";

/** Of an agent on the same machine or in the same network, for what it has in memory. */
const ANSWER_LIMIT_MS = 500;
/** A member that is neither dead nor answers is waited for so long. */
export const PATIENCE_MS = 3_000;
/** What can be read of the old primary's WAL is tried for so long before any of it is given up. */
const LOSS_PATIENCE_MS = 15_000;

/** Another member is proven to be gone: its lease is free. */
export async function freeLease({ member, record, decision }: EffectContext): Promise<void> {
  const { term, heir } = record;
  const leader = record.leader?.member ?? null;
  const gone = leader ?? heir;
  // Silence is no proof while it leads by this member's own word.
  const isProven = gone === null || member.witness.isGone(gone, { leaseHasRunOut: false });
  if (!isProven && promisedLeader(member, record) === gone) {
    member.log.write({
      event: "not-freed",
      rule: decision.rule,
      message: `${gone} is silent, but its lease is not freed: ${member.name} has confirmed it for as long as that lease lasts.`,
    });
    return;
  }
  const sharing = await sharingOf(member, record);
  if (sharing !== null)
    throw new UnderstudyError(
      "FAILOVER_REFUSED",
      `${gone ?? "the primary"} is gone, and no standby may take over: ${sharing}`,
    );
  // Its own lease is freed because its server does not start: for how long is not known.
  const downMs = gone === member.name ? null : member.leaderWatch.silentForMs(record.ttlMs);
  const session = gone === null ? undefined : provenRun(member, { record, name: gone });
  const run = session === undefined ? {} : { session };
  const ending = { by: member.name, rule: decision.rule, downMs, ...run };
  const proof = member.witness.freedIsGone === true ? { proof: signsOf(record) } : {};
  const opened = await member.keeper.change((current) =>
    openElection(current, { leader, heir, term, ending, ...proof }),
  );
  if (opened === null) return;
  member.event({
    event: "leader-gone",
    rule: decision.rule,
    level: "warning",
    message: `${gone ?? "The primary"} is gone, as ${member.name} has proven; the lease of term ${term} is free for the best standby.`,
    details: { term, leader: gone, downMs, lsn: lastKnownPosition(record)?.lsn ?? null },
  });
}

/** One look around: the winner takes the lease, the others look again soon. */
export async function stand(context: EffectContext): Promise<void> {
  const { member, record, decision, signal } = context;
  await endOrphans(member, signal);
  const own = await ownBallot(member, record);
  const ballots = [own, ...(await askOthers(member, record))];
  const patient = member.leaderWatch.vacantForMs() < PATIENCE_MS;
  const { winner, reason } = mayReturn(context, ballots)
    ? { winner: member.name, reason: "of no other member it is certain what it has" }
    : electLeader(ballots, patient, lagLimitOf(context));
  if (winner !== member.name) {
    member.log.write({
      event: "not-elected",
      rule: decision.rule,
      message: winner === null ? `Nobody can lead: ${reason}.` : `${winner} is to lead: ${reason}.`,
    });
    return;
  }
  // Before anything is taken: while it replays for long, another may come back that can lead.
  if (isDelayed(record.members[member.name])) await endDelay(context);
  const old = formerLeaders(record).filter((name) => name !== member.name);
  // With a guarantee it is counted who must have what (doubtAfter).
  const fromStandbys = record.sync.guarantee === null;
  const saved = await saveFromDisks(context, { old, ballots, fromStandbys });
  const doubt = await doubtAfter({ context, saved, ballots });
  const expected = await expectedLoss({ context, own, ballots, saved });
  const obstacle = doubt ?? (await whyNotTake({ context, old, saved }));
  const refusal = obstacle === null ? refusalOfLag({ context, old, saved, expected }) : null;
  if (obstacle !== null || refusal !== null) {
    await clearSpool(member.paths.spool);
    if (refusal !== null) throw refusal;
    member.log.write({
      event: "not-taken",
      rule: decision.rule,
      message: `${member.name} is to lead, but does not take the lease: ${obstacle ?? "it may not"}.`,
    });
    return;
  }
  const taken = await member.keeper.change((current) =>
    takeElectedLease(current, {
      member: member.name,
      term: record.term,
      position: { lsn: null, timeline: null },
      at: member.clock.wallClock(),
      reason: decision.rule,
    }),
  );
  if (taken === null) {
    // Another was first: what is in the spool must not be there when this one follows it.
    await clearSpool(member.paths.spool);
    return;
  }
  await member.memory.rememberTerm(taken.term);
  const story = { ballots, own, old, saved, expected, reason };
  member.event(await describeElection(member, { decision, taken, ...story }));
}

/** At first nobody is passed over for what can be fetched from the disk of one that is down. */
function lagLimitOf({ member, record }: EffectContext): number | null {
  return member.leaderWatch.vacantForMs() < LOSS_PATIENCE_MS ? null : maximumLagIn(record);
}

/**
 * From the disks of those that led, and where these do not give all that was acknowledged, from
 * those of standbys that are gone and had come further. Null where nobody has led.
 */
export async function saveFromDisks(
  { member, record, signal }: Omit<EffectContext, "decision">,
  of: { old: readonly string[]; ballots: readonly Ballot[]; fromStandbys: boolean },
): Promise<SavedWal | null> {
  const { old, ballots, fromStandbys } = of;
  if (old.length === 0) return null;
  const drain = { record, signal, answering: answeringOf(ballots) };
  const saved = await saveAll(member, { ...drain, from: old });
  if (saved.lostBytes === 0 || !fromStandbys) return saved;
  const from = await furtherStandbys({ member, record }, { old, ballots });
  if (from.length === 0) return saved;
  const more = await saveAll(member, { ...drain, from });
  const left = await saveAll(member, { ...drain, from: old });
  return { ...left, savedBytes: more.savedBytes + left.savedBytes };
}

function answeringOf(ballots: readonly Ballot[]): readonly string[] {
  return ballots.flatMap((ballot) =>
    ballot.kind === "gone" && ballot.answers === true ? [ballot.name] : [],
  );
}

/** Of those that are not up; one that is started meanwhile is noticed (rescueWal). */
async function furtherStandbys(
  { member, record }: Pick<EffectContext, "member" | "record">,
  of: { old: readonly string[]; ballots: readonly Ballot[] },
): Promise<readonly string[]> {
  const candidate = await ownBallot(member, record);
  const gone = of.ballots.filter(({ kind, name }) => kind === "gone" && !of.old.includes(name));
  const ballots = await Promise.all(
    gone.map(async ({ name }): Promise<Ballot> => {
      const disk = member.witness.diskOf(name);
      const { systemId } = record;
      const onDisk =
        disk === null
          ? null
          : await reachOnDisk(disk, { name, systemId, near: lastFlushed(member) });
      return onDisk === null ? { kind: "gone", name } : { kind: "gone", name, onDisk };
    }),
  );
  return "lsn" in candidate ? aheadOnDisk(null, { candidate, ballots }) : [];
}

/**
 * One that led has all that it acknowledged. It does not go before the others, which are up; but
 * where none of these is certain to have as much, and none can fetch it, it takes its lease back.
 */
function mayReturn({ member, record }: EffectContext, ballots: readonly Ballot[]): boolean {
  const { guarantee } = record.sync;
  if (guarantee === null || !formerLeaders(record).includes(member.name)) return false;
  if (member.leaderWatch.vacantForMs() < LOSS_PATIENCE_MS) return false;
  return ballots.every((ballot) => {
    if (ballot.kind !== "up" || ballot.barred) return true;
    return doubtOf(guarantee, { candidate: ballot, ballots }) !== null;
  });
}

/**
 * Why this member may lack acknowledged commits, after all was fetched that can be; null where it
 * is certain that it has them. No time that passes makes it certain: a person may decide.
 */
async function doubtAfter(of: {
  context: EffectContext;
  saved: SavedWal | null;
  ballots: readonly Ballot[];
}): Promise<string | null> {
  const { saved, ballots, context } = of;
  const { member, record, decision, signal } = context;
  const { guarantee } = record.sync;
  member.sync.doubt = null;
  if (guarantee === null || saved === null || saved.lostBytes === 0) return null;
  const before = await ownBallot(member, record);
  if (!("lsn" in before)) return `it is not known what ${member.name} has`;
  const ahead = aheadOnDisk(guarantee, { candidate: before, ballots });
  const answering = answeringOf(ballots);
  if (ahead.length > 0) await saveAll(member, { from: ahead, answering, record, signal });
  const candidate = ahead.length > 0 ? await ownBallot(member, record) : before;
  const others = ballots.filter(({ name }) => name !== member.name);
  const doubt = "lsn" in candidate ? doubtOf(guarantee, { candidate, ballots: others }) : null;
  if (doubt === null) return null;
  const why = describeDoubt(doubt, guarantee);
  member.sync.doubt = `${why}; it leads when that is seen, or by a person's word: understudy failover --accept-loss`;
  if (member.sync.toldDoubt !== member.sync.doubt)
    member.event({
      event: "election-waits",
      rule: decision.rule,
      level: "warning",
      message: `${member.name} does not take the free lease, it may lack acknowledged commits: ${member.sync.doubt}.`,
      details: { term: record.term, guarantee, ...doubt, ballots: ballots.map(describeBallot) },
    });
  member.sync.toldDoubt = member.sync.doubt;
  return why;
}

/**
 * Asked last of all. Between the proof that it was gone and this moment its agent may have come
 * back, and one that cannot read the record does not know that its lease is free.
 */
async function isHarmless(
  member: Member,
  old: { name: string; record: ClusterRecord },
): Promise<boolean> {
  const { name, record } = old;
  const address = record.members[name];
  if (name === member.name || address === undefined) return true;
  if (member.witness.hasNoServer(name) || wasFreed(member, { record, name })) return true;
  return (await ballotOf(member, { record, name, address })).kind === "up";
}

/** What only a person may decide, and what is to be waited for. */
async function whyNotTake(of: {
  context: EffectContext;
  old: readonly string[];
  saved: SavedWal | null;
}): Promise<string | null> {
  const { old, saved } = of;
  const { member, record } = of.context;
  const sharing = old.length === 0 ? null : await sharingOf(member, record);
  if (sharing !== null) return sharing;
  const lostBytes = saved === null ? 0 : saved.lostBytes;
  // Where synchronous replication was in force what is lost was never acknowledged.
  const counts = lostBytes !== 0 && record.sync.guarantee === null;
  if (counts && (await lacksAll(member, record)))
    return `it has nothing of what ${old[0] ?? "the old primary"} wrote as the primary; to lose that: understudy failover`;
  // What keeps it from being had, or from being told, may pass: a full disk, a busy replay.
  if (saved?.mayPass === true && member.leaderWatch.vacantForMs() < LOSS_PATIENCE_MS) {
    const what = lostBytes === null ? "it cannot be told what" : `${lostBytes} bytes`;
    return `${what} of ${old.join(" and ")} would be lost (${saved.trouble ?? "they cannot be had"}); it tries again`;
  }
  for (const name of old)
    if (!(await isHarmless(member, { name, record })))
      return `PostgreSQL of ${name} runs and may take writes`;
  const promised = promisedLeader(member, record);
  return promised === null
    ? null
    : `it has confirmed ${promised} as the leader, which may take writes until that has run out`;
}

/** Nothing of what was written in the newest term has reached it. */
async function lacksAll(member: Member, record: ClusterRecord): Promise<boolean> {
  const own = await ownBallot(member, record);
  return "timelineTerm" in own && lacksNewestFork(record.forks, own);
}

/** A promotion on such data could make what one member overwrote the truth. */
export async function sharingOf(
  member: Pick<Member, "witness">,
  record: ClusterRecord,
): Promise<string | null> {
  const dataDirs = Object.keys(record.members).flatMap((name) => {
    const disk = member.witness.diskOf(name);
    return disk === null ? [] : [[name, disk.data] as const];
  });
  const [shared] = await findSharedTablespaces(new Map(dataDirs));
  return shared === undefined ? null : describeSharing(shared);
}

async function ownBallot(member: Member, record: ClusterRecord): Promise<Ballot> {
  const { name, memory } = member;
  const { kind, lsn, timeline } = await ownReach(member);
  if (lsn === null) return { kind: "gone", name };
  const timelineTerm = termOfTimeline(timeline, memory.forks);
  return { kind, name, ...tagsOf(record, name), timeline, lsn, timelineTerm };
}

export function askOthers(member: Member, record: ClusterRecord): Promise<Ballot[]> {
  const others = Object.entries(record.members).filter(([name]) => name !== member.name);
  return Promise.all(others.map(([name, address]) => ballotOf(member, { record, name, address })));
}

export async function ballotOf(
  member: Member,
  of: {
    record: ClusterRecord;
    name: string;
    address: RecordMember;
    timeoutMs?: number;
    signal?: AbortSignal;
  },
): Promise<Ballot> {
  const { record, name, address, timeoutMs = ANSWER_LIMIT_MS, signal } = of;
  // The address of a pod that is gone refuses nobody: an answer would be waited for to the last.
  const isOver = isRunOver(record, name) || provenRun(member, { record, name }) !== undefined;
  if (isOver) return absent(member, { kind: "gone", name });
  try {
    const reach = await askReach(address, {
      trust: trustOf(member, name),
      timeoutMs,
      ...(signal && { signal }),
    });
    if (reach.name !== name || reach.cluster !== member.cluster) return { kind: "silent", name };
    // It may come up with more than everybody else, or leads by what it knows: whether it cannot,
    // or is about to be the primary.
    const isToLead = reach.role === "standby" && reach.state === "failed";
    if (reach.state === "starting" || isToLead) return absent(member, { kind: "silent", name });
    const lsn = greatestLsn(parseLsnOrNull(reach.flushLsn), parseLsnOrNull(reach.replayLsn));
    if (reach.role !== "standby" || lsn === null)
      return absent(member, { kind: "gone", name, answers: true });
    const { timeline, timelineTerm } = reach;
    return { kind: "up", name, ...tagsOf(record, name), timeline, timelineTerm, lsn };
  } catch {
    const isProven = member.witness.isGone(name, { leaseHasRunOut: false });
    // Who freed its own lease lives, and may have at hand what would be lost.
    const isFreed = record.ended?.by !== name && wasFreed(member, { record, name });
    const isGone = isProven || isFreed;
    return absent(member, { kind: isGone ? "gone" : "silent", name });
  }
}

/** The run of its agent that the record names, where that has certainly ended. */
function provenRun(
  { witness }: Pick<Member, "witness">,
  { record, name }: { record: Pick<ClusterRecord, "members">; name: string },
): string | undefined {
  const session = record.members[name]?.session;
  if (session === undefined || witness.freedIsGone !== true) return undefined;
  return witness.hasNoServer(name) ? session : undefined;
}

/** Its lease was freed by a member, and that was a proof. */
function wasFreed(
  member: Pick<Member, "witness">,
  of: { record: Pick<ClusterRecord, "ended">; name: string },
): boolean {
  const { ended } = of.record;
  return member.witness.freedIsGone === true && ended?.member === of.name;
}

/** With what its disk tells, where commits may be on it that are on nobody else. */
async function absent(
  member: Member,
  of: { kind: "gone" | "silent"; name: string; answers?: boolean },
): Promise<Ballot> {
  const { name } = of;
  const { record } = member.keeper;
  const disk = member.witness.diskOf(name);
  if (disk === null || record?.sync.guarantee?.members.includes(name) !== true) return of;
  const onDisk = await reachOnDisk(disk, {
    name,
    systemId: record.systemId,
    near: lastFlushed(member),
  });
  return onDisk === null ? of : { ...of, onDisk };
}

/** Null where it is not proven which timeline that is on. */
function lastFlushed({ positions, memory }: Pick<Member, "positions" | "memory">): Near | null {
  const lsn = parseLsnOrNull(positions.latest?.flushLsn ?? null);
  const timeline = lsn === null ? null : memory.timelineAt(lsn);
  return lsn === null || timeline === null ? null : { lsn, timeline };
}

export function tagsOf(record: ClusterRecord, name: string) {
  const { priority = 0, nofailover = false } = record.members[name]?.tags ?? {};
  const barred = nofailover || isFenced(record, name);
  return { priority, barred, delayed: isDelayed(record.members[name]) };
}
