// Brings a stopped member behind the present primary: it follows, is rewound, or is copied anew.
// What it may do is decided before anything is started, by comparing the end of its WAL with the
// primary's history (postgres-facts, "rejoin without rewind, and telling divergence").
import { join } from "node:path";
import { UnderstudyError } from "../../core/errors.ts";
import { isKnownToDiffer, isSameFork } from "../../core/fork.ts";
import type { ClusterRecord } from "../../core/record.ts";
import { formatLsn, formatLsnOrNull, type Lsn } from "../../core/lsn.ts";
import { relationTo, type Relation } from "../../core/timeline.ts";
import { readControlData } from "../../postgres/control-data.ts";
import { inspectDataDirectory } from "../../postgres/data-directory.ts";
import { haveSameWal } from "../../postgres/shared-wal.ts";
import { KEPT_HISTORIES } from "../../postgres/timeline-histories.ts";
import {
  fetchUpstreamHistory,
  hasTimelineHistory,
  type UpstreamHistory,
} from "../../postgres/upstream-history.ts";
import { findWalEnd, readTimelineHistory } from "../../postgres/wal-end.ts";
import { loginOf, upstreamAt, writableLeader, type Leader, type Member } from "../member.ts";
import { keepData, keepReport } from "./data-aside.ts";
import { reportOnDivergence } from "./divergence-report.ts";
import type { EffectContext } from "./effect.ts";
import { giveHeadStart } from "./head-start.ts";
import { mayGiveWay } from "./rewind-turn.ts";
import { rewind, whyNotRewind } from "./rewind.ts";
import { startAsStandby } from "./start.ts";
import { chooseSource } from "./supply.ts";

/** How a stopped member's data stands to the primary's history. */
export type Standing = Relation | { readonly kind: "unreadable"; readonly why: string };

export async function rejoin(context: EffectContext): Promise<void> {
  const { member, record, signal } = context;
  const leader = writableLeader(record);
  // A leader that is not writable yet cannot be compared with: until it is, this member serves
  // reads and follows nobody.
  if (leader === null) {
    await giveHeadStart(context);
    return startAsStandby(context, null);
  }
  await member.server.killOrphans(signal);
  const compared = await compareWith(member, { leader, record }).catch((thrown: unknown) => {
    if (thrown instanceof UnderstudyError && thrown.code === "CONNECTION_FAILED") return null;
    throw thrown;
  });
  if (compared === null) return serveReadsMeanwhile(context, leader);
  const { standing, end, upstream } = compared;
  if (standing.kind === "behind" && end !== null) {
    await rememberFollowing(member, { upstream, end, leader, record });
    const source = await chooseSource(context, { leader, isStreaming: false });
    await startAsStandby(context, upstreamAt(source), { end });
    return;
  }
  // What a copy has that never became consistent cannot be rewound, nor is any of it its own.
  if (standing.kind === "unreadable" || end === null || end.isFreshCopy)
    return setAside(context, { leader, standing, end, obstacle: null });
  const diverged = standing.kind === "diverged" ? { leader, upstream, end, ...standing } : null;
  const obstacle = diverged === null ? null : await whyNotRewind(context, diverged);
  if (diverged !== null && obstacle === null)
    return rewind(context, diverged, () =>
      rememberFollowing(member, { upstream, end, leader, record }),
    );
  // What it has is whole, and nobody else may have as much.
  if (await mayGiveWay(context, leader))
    await setAside(context, { leader, standing, end, obstacle });
}

interface Misfit {
  readonly leader: Leader;
  readonly standing: Standing;
  readonly end: WalPosition | null;
  /** Why it is not rewound; null where that is out of the question. */
  readonly obstacle: string | null;
}

/** Its directory gives way as a whole, with a report where its WAL can be read. */
async function setAside(context: EffectContext, misfit: Misfit): Promise<void> {
  const { member, decision, signal } = context;
  const { leader, standing, end, obstacle } = misfit;
  const kept = await keepData(member);
  const unrewound = obstacle === null ? "" : `; it cannot be rewound (${obstacle})`;
  member.event({
    event: "data-set-aside",
    rule: decision.rule,
    level: "warning",
    message: `${describe({ member, leader, standing, end })}${unrewound}; its data directory is kept in ${kept} and ${leader.name} is copied anew.`,
    details: {
      kept,
      timeline: end?.timeline ?? null,
      endLsn: formatLsnOrNull(end?.endLsn ?? null),
      standing: standing.kind,
      obstacle,
    },
  });
  if (standing.kind !== "diverged" || end === null || end.isFreshCopy) return;
  const walDir = join(kept, "data", "pg_wal");
  await keepReport(
    kept,
    await reportOnDivergence(member, { leader, ...end, ...standing, walDir }, signal),
  );
}

/**
 * The primary does not answer. What was a standby may serve reads until it does; what was a primary
 * may have rows that nobody else has, and waits.
 */
async function serveReadsMeanwhile(context: EffectContext, leader: Leader): Promise<void> {
  const { state } = await readControlData(context.member.paths.data);
  if (state === "shut down in recovery" || state === "in archive recovery")
    return startAsStandby(context, null);
  throw new UnderstudyError(
    "CONNECTION_FAILED",
    `${leader.name} does not answer, and what this former primary has cannot be compared with it yet`,
  );
}

/**
 * Exact, with nothing started. A directory whose WAL cannot be read is unusable as it is: a copy
 * that was cut off before it became consistent, or damage.
 * @throws UnderstudyError CONNECTION_FAILED when the primary cannot be asked.
 */
export async function compareWith(
  member: Member,
  primary: { leader: Leader; record: ClusterRecord },
): Promise<{ standing: Standing; end: WalPosition | null; upstream: UpstreamHistory }> {
  const upstream = await historyOf(member, primary.leader);
  try {
    const end = await endOfData(member, upstream);
    const told = { end, upstream, ...primary };
    const standing = standingOf(member, told);
    const isProven = standing.kind === "unrelated" && (await isOnItsTimeline(member, told));
    const proven = isProven ? relationTo(upstream, end) : standing;
    return { standing: (await whyTooOld(member, told)) ?? proven, end, upstream };
  } catch (thrown) {
    if (!(thrown instanceof UnderstudyError) || thrown.code !== "DATA_UNREADABLE") throw thrown;
    return { standing: { kind: "unreadable", why: thrown.message }, end: null, upstream };
  }
}

/** Positions only compare on the same fork: two may have the same number (lesson 19). */
export function standingOf(
  member: Pick<Member, "memory">,
  of: {
    end: Pick<WalPosition, "timeline" | "endLsn">;
    upstream: UpstreamHistory;
    record: ClusterRecord;
  },
): Relation {
  const forks = { member: member.memory.forks, primary: of.record.forks };
  return isSameFork(of.end.timeline, forks)
    ? relationTo(of.upstream, of.end)
    : { kind: "unrelated" };
}

/**
 * A standby asks its primary for the history of each timeline in between, and gets nowhere where
 * one is gone.
 */
async function whyTooOld(
  member: Member,
  of: { end: WalPosition; upstream: UpstreamHistory; leader: Leader },
): Promise<Standing | null> {
  const { end, upstream, leader } = of;
  const next = end.timeline + 1;
  if (upstream.history.timeline - next < KEPT_HISTORIES / 2) return null;
  if (await hasTimelineHistory(loginAt(member, leader), next)) return null;
  const why = `${leader.name} is on timeline ${upstream.history.timeline}, and has the history of timeline ${next} no more`;
  return { kind: "unreadable", why };
}

/**
 * Who began the timeline on which its WAL ends, it or the leader does not know: a standby can come
 * onto it over another member that is quicker to follow, and a leader can have taken it from a dead
 * one's disk. Where the leader's disk can be read, the WAL itself tells whether it is the same.
 */
async function isOnItsTimeline(
  member: Member,
  of: { end: WalPosition; upstream: UpstreamHistory; leader: Leader; record: ClusterRecord },
): Promise<boolean> {
  const { end, upstream, leader, record } = of;
  const forks = { member: member.memory.forks, primary: record.forks };
  const disk = member.witness.diskOf(leader.name);
  if (end.isFreshCopy || disk === null || isKnownToDiffer(end.timeline, forks)) return false;
  const { history, writeLsn } = upstream;
  const path = [...history.ancestors, { timeline: history.timeline, switchPoint: writeLsn }];
  const at = path.findIndex(({ timeline }) => timeline === end.timeline);
  const [parent, { switchPoint: left } = {}] = [path[at - 1], path[at]];
  if (parent === undefined || left === undefined || !isSameFork(parent.timeline, forks))
    return false;
  const own = (await readTimelineHistory(member.paths.data, end.timeline)).ancestors.at(-1);
  if (own?.timeline !== parent.timeline || own.switchPoint !== parent.switchPoint) return false;
  const { walSegmentBytes: segmentBytes } = await readControlData(member.paths.data);
  return haveSameWal(
    { one: member.paths.data, other: disk.data },
    {
      timeline: end.timeline,
      from: parent.switchPoint,
      to: end.endLsn < left ? end.endLsn : left,
      segmentBytes,
    },
  );
}

interface WalPosition {
  readonly timeline: number;
  readonly endLsn: Lsn;
  /** As in WalEnd; of a fresh copy nothing is known. */
  readonly begunLsn: Lsn | null;
  /** A copy that has not become consistent yet. */
  readonly isFreshCopy: boolean;
}

/**
 * @throws UnderstudyError CONNECTION_FAILED, also while it is not on the timeline that it leads.
 */
export async function historyOf(member: Member, leader: Leader): Promise<UpstreamHistory> {
  const upstream = await fetchUpstreamHistory(loginAt(member, leader));
  if (upstream.history.timeline === leader.timeline) return upstream;
  throw new UnderstudyError(
    "CONNECTION_FAILED",
    `${leader.name} is on timeline ${upstream.history.timeline} and not yet on ${leader.timeline}`,
  );
}

function loginAt(member: Member, leader: Leader): Parameters<typeof fetchUpstreamHistory>[0] {
  return { ...loginOf(member, leader), applicationName: `${member.name} history` };
}

/** From now on its WAL leads into the primary's timeline, wherever it left the one it was on. */
export async function rememberFollowing(
  member: Pick<Member, "memory">,
  proof: {
    upstream: UpstreamHistory;
    end: { timeline: number };
    leader: Leader;
    record: ClusterRecord;
  },
): Promise<void> {
  const { history } = proof.upstream;
  const left = history.ancestors.find((ancestor) => ancestor.timeline === proof.end.timeline);
  await member.memory.rememberPath({
    followed: {
      leader: proof.leader.name,
      timeline: history.timeline,
      before: proof.end.timeline,
      switchPoint: formatLsn(left?.switchPoint ?? (0n as Lsn)),
    },
    forks: proof.record.forks,
  });
}

/** A base backup that was never started has no WAL of its own: it stands where its copy began. */
async function endOfData(member: Member, upstream: UpstreamHistory): Promise<WalPosition> {
  const data = await inspectDataDirectory(member.paths.data);
  const control = data.kind === "data" ? data.control : null;
  // The label goes with the first start; pg_control tells until the copy is consistent.
  const isFreshCopy =
    data.kind === "data" && (data.hasBackupLabel || (control?.backupStartLsn ?? 0n) > 0n);
  if (isFreshCopy && control !== null) {
    const { timeline, checkpointLsn } = control;
    // Only its copy's own timeline is safe to go on from: how far the copied pages reach is not in
    // pg_control.
    const endLsn = timeline === upstream.history.timeline ? checkpointLsn : ((1n << 63n) as Lsn);
    return { timeline, endLsn, begunLsn: null, isFreshCopy };
  }
  const { timeline, endLsn, begunLsn } = await findWalEnd(member.paths.data);
  return { timeline, endLsn, begunLsn, isFreshCopy: false };
}

function describe(found: {
  member: Member;
  leader: Leader;
  standing: Standing;
  end: WalPosition | null;
}): string {
  const { member, leader, standing, end } = found;
  switch (standing.kind) {
    case "unreadable":
      return `the data of ${member.name} cannot be used: ${standing.why}`;
    case "unrelated":
      return `${member.name} is on another timeline ${end?.timeline ?? "unknown"} than that in the history of ${leader.name}`;
    case "diverged":
      return `${member.name} has ${standing.bytes} bytes of WAL beyond ${formatLsn(standing.switchPoint)}, where ${leader.name} left timeline ${end?.timeline ?? "unknown"}`;
    case "behind":
      return `${member.name} could follow ${leader.name}`;
  }
}
