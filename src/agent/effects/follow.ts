// Keeps a running standby behind the present primary. Before it is pointed at a new one it is
// proven that it may follow: afterwards nothing would tell (a diverged member shows "streaming").
import { greatestLsn, parseLsnOrNull, type Lsn } from "../../core/lsn.ts";
import { isSameFork } from "../../core/fork.ts";
import type { ClusterRecord } from "../../core/record.ts";
import { headsElsewhere } from "../../postgres/unreached-histories.ts";
import { clearSpool } from "../../postgres/wal-rescue/spool.ts";
import type { UpstreamHistory } from "../../postgres/upstream-history.ts";
import type { Position } from "../probe.ts";
import { askNeighbours } from "../neighbours.ts";
import { hasStrayed } from "../own-reach.ts";
import { upstreamAt, writableLeader, type Leader, type Member } from "../member.ts";
import type { EffectContext } from "./effect.ts";
import { dropSuperseded } from "./logical-slots.ts";
import { pruneHistories } from "./prune-histories.ts";
import { historyOf, rememberFollowing, standingOf } from "./rejoin.ts";
import {
  followsAnother,
  needsRestartToFollow,
  writeMemberSettings,
  writeStandbyMode,
  reloadSettings,
} from "./settings.ts";
import { shedWalCopies } from "./shed-wal-copies.ts";
import { keepSlots } from "./slots.ts";
import { chooseSource, keepSupplied } from "./supply.ts";
import { startAsStandby, stopServer } from "./start.ts";

/** One pass; repeated with each tick and each change of the record. */
export async function follow(context: EffectContext): Promise<void> {
  const { member, record } = context;
  const leader = writableLeader(record);
  if (leader === null) return; // It is being promoted; the record changes when it has been.
  // An agent may have died between a rescue and the promotion that it was for.
  await clearSpool(member.paths.spool);
  const seen = await member.positions.read().catch(() => null);
  const isAstray = seen !== null && (await hasStrayed(member, seen));
  const isKnown = isKnownToFollow(member, { leader, record }) && !isAstray;
  if (!isKnown && !(await mayFollow(member, { leader, record }))) {
    // Its position cannot be vouched for while it runs: stopped, its disk tells exactly (rule
    // "rejoin").
    await stopServer(context);
    return;
  }
  const { isStreaming, stalledForMs } = lookAtFlow(member, { leader, seen });
  const source = await chooseSource(context, { leader, isStreaming });
  const request = { record, upstream: upstreamAt(source), asPrimary: false };
  const changed = await writeMemberSettings(member, request);
  const another = await followsAnother(member, request);
  if (another && needsRestartToFollow(member)) {
    await stopServer(context);
    await startAsStandby(context, upstreamAt(source));
  } else {
    await writeStandbyMode(member, request);
    if (changed || another) await reloadSettings(member, context.signal);
  }
  const neighbours = await askNeighbours(member, record);
  await keepSlots(member, { record, neighbours });
  await dropSuperseded(member, { record, neighbours });
  await pruneHistories(member);
  await shedWalCopies(member);
  await keepSupplied(context, { leader, source, stalledForMs });
}

function lookAtFlow(
  member: Member,
  { leader, seen }: { leader: Leader; seen: Position | null },
): { isStreaming: boolean; stalledForMs: number } {
  const isStreaming = seen?.receiver === "streaming" && seen.timeline === leader.timeline;
  const replayLsn = seen?.replayLsn ?? null;
  return { isStreaming, stalledForMs: member.supply.noteFlow({ isStreaming, replayLsn }) };
}

/** It was proven for this very timeline, which is of the term that the record says. */
export function isKnownToFollow(
  member: Pick<Member, "memory">,
  primary: { leader: Leader; record: ClusterRecord },
): boolean {
  const { timeline } = primary.leader;
  const forks = { member: member.memory.forks, primary: primary.record.forks };
  return member.memory.followed?.timeline === timeline && isSameFork(timeline, forks);
}

/**
 * Whether all that it has received and replayed is in the primary's history; if so that is
 * remembered.
 */
async function mayFollow(
  member: Member,
  primary: { leader: Leader; record: ClusterRecord },
): Promise<boolean> {
  const { leader, record } = primary;
  const position = await member.positions.read();
  const endLsn = greatestLsn(
    parseLsnOrNull(position.receiveLsn),
    parseLsnOrNull(position.replayLsn),
  );
  const timeline = endLsn === null ? null : await timelineOf(member, { position, endLsn });
  if (endLsn === null || timeline === null) return false;
  const upstream = await historyOf(member, leader);
  const standing = standingOf(member, { end: { timeline, endLsn }, upstream, record });
  const proof = { upstream, end: { timeline }, leader, record };
  if (standing.kind !== "behind" && !hasSwitched(member, { position, ...proof })) return false;
  // It has a history of its own that leads elsewhere: only a start finds another way.
  if (await headsElsewhere(member.paths.data, { timeline, upstream: upstream.history }))
    return false;
  await rememberFollowing(member, proof);
  return true;
}

/** The one that its walreceiver tells is left to hasSwitched. */
async function timelineOf(
  member: Member,
  at: { position: Position; endLsn: Lsn },
): Promise<number | null> {
  const { followed } = member.memory;
  if (followed !== null && (await hasStrayed(member, at.position))) return followed.before;
  return member.memory.timelineAt(at.endLsn);
}

/**
 * PostgreSQL itself may have followed its primary's restart before the agent looks: its walreceiver
 * is then on the new timeline, which a diverged member's never is (postgres-facts, "telling
 * divergence"), and replay is beyond the switch point.
 */
function hasSwitched(
  member: Member,
  seen: {
    position: Position;
    upstream: UpstreamHistory;
    end: { timeline: number };
    leader: Leader;
    record: ClusterRecord;
  },
): boolean {
  const { position, upstream, end, leader } = seen;
  const left = upstream.history.ancestors.find(({ timeline }) => timeline === end.timeline);
  const replayed = parseLsnOrNull(position.replayLsn);
  const forks = { member: member.memory.forks, primary: seen.record.forks };
  return (
    member.memory.followed?.leader === leader.name &&
    isSameFork(end.timeline, forks) &&
    position.receiver === "streaming" &&
    position.timeline === leader.timeline &&
    left !== undefined &&
    replayed !== null &&
    replayed >= left.switchPoint
  );
}
