// Brings a stopped member behind the present primary. What it may do is decided before anything is started, by comparing the
// end of its WAL with the primary's history (postgres-facts, "rejoin without rewind, and telling divergence").
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { formatLsn, type Lsn } from "../../core/lsn.ts";
import { relationTo, type Relation } from "../../core/timeline.ts";
import { inspectDataDirectory } from "../../postgres/data-directory.ts";
import { fetchUpstreamHistory, type UpstreamHistory } from "../../postgres/upstream-history.ts";
import { findWalEnd } from "../../postgres/wal-end.ts";
import { REPLICATION_ROLE, writableLeader, type Leader, type Member } from "../member.ts";
import type { EffectContext } from "./effect.ts";
import { startAsStandby } from "./start.ts";

export async function rejoin(context: EffectContext): Promise<void> {
  const { member, record, decision, signal } = context;
  const leader = writableLeader(record);
  // A leader that is not writable yet cannot be compared with: until it is, this member serves reads and follows nobody.
  if (leader === null) return startAsStandby(context, null);
  await member.server.killOrphans(signal);
  const upstream = await historyOf(member, leader);
  const end = await endOfData(member, upstream);
  const relation = relationTo(upstream, end);
  if (relation.kind === "behind") {
    await rememberFollowing(member, { upstream, end });
    await startAsStandby(context, leader.address);
    return;
  }
  const kept = await setDataAside(member);
  member.event({
    event: "data-set-aside",
    rule: decision.rule,
    level: "warning",
    message: `${describeRelation({ member, leader, relation, end })}; its data directory is kept in ${kept} and ${leader.name} is copied anew.`,
    details: {
      kept,
      timeline: end.timeline,
      endLsn: formatLsn(end.endLsn),
      relation: relation.kind,
    },
  });
}

export function historyOf(member: Member, leader: Leader): Promise<UpstreamHistory> {
  return fetchUpstreamHistory({
    host: leader.address.host,
    port: leader.address.port,
    user: REPLICATION_ROLE,
    password: member.secrets.replication,
    applicationName: `${member.name} history`,
  });
}

/** From now on its WAL leads into the primary's timeline, wherever it left the one it was on. */
export async function rememberFollowing(
  member: Member,
  proof: { upstream: UpstreamHistory; end: { timeline: number } },
): Promise<void> {
  const { history } = proof.upstream;
  const left = history.ancestors.find((ancestor) => ancestor.timeline === proof.end.timeline);
  await member.memory.rememberFollowed({
    timeline: history.timeline,
    before: proof.end.timeline,
    switchPoint: formatLsn(left?.switchPoint ?? (0n as Lsn)),
  });
}

/** A base backup that was never started has no WAL of its own: it stands where its copy began. */
async function endOfData(
  member: Member,
  upstream: UpstreamHistory,
): Promise<{ timeline: number; endLsn: Lsn }> {
  const data = await inspectDataDirectory(member.paths.data);
  if (data.kind === "data" && data.hasBackupLabel && data.control !== null) {
    const { timeline, checkpointLsn } = data.control;
    // Only its copy's own timeline is safe to go on from: how far the copied pages reach is not in pg_control.
    const endLsn = timeline === upstream.history.timeline ? checkpointLsn : ((1n << 63n) as Lsn);
    return { timeline, endLsn };
  }
  return findWalEnd(member.paths.data);
}

/**
 * Keeps a data directory whose WAL the cluster does not have: the newest one of each member.
 * @returns where it is now.
 */
export async function setDataAside(member: Member): Promise<string> {
  const { kept, data } = member.paths;
  await mkdir(kept, { recursive: true, mode: 0o700 });
  const earlier = await readdir(kept);
  const stamp = new Date().toISOString().replaceAll(/[:.]/g, "-");
  const place = join(kept, `data-${stamp}`);
  await rename(data, place);
  for (const name of earlier) await rm(join(kept, name), { recursive: true, force: true });
  return place;
}

function describeRelation(found: {
  member: Member;
  leader: Leader;
  relation: Exclude<Relation, { kind: "behind" }>;
  end: { timeline: number; endLsn: Lsn };
}): string {
  const { member, leader, relation, end } = found;
  if (relation.kind === "unrelated")
    return `${member.name} is on timeline ${end.timeline}, which is not in the history of ${leader.name}`;
  return `${member.name} has ${relation.bytes} bytes of WAL beyond ${formatLsn(relation.switchPoint)}, where ${leader.name} left timeline ${end.timeline}`;
}
