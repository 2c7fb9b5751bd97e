// Keeps a running standby behind the present primary. Before it is pointed at a new one it is
// proven that it may follow: afterwards nothing would tell (a diverged member shows "streaming").
import { greatestLsn, parseLsnOrNull } from "../../core/lsn.ts";
import { relationTo } from "../../core/timeline.ts";
import { writableLeader, type Leader, type Member } from "../member.ts";
import type { EffectContext } from "./effect.ts";
import { dropUnusedSlots } from "./lead.ts";
import { historyOf, rememberFollowing } from "./rejoin.ts";
import {
  followsAnother,
  needsRestartToFollow,
  writeMemberSettings,
  writeStandbyMode,
  reloadSettings,
} from "./settings.ts";
import { startAsStandby, stopServer } from "./start.ts";

/** One pass; repeated with each tick and each change of the record. */
export async function follow(context: EffectContext): Promise<void> {
  const { member, record } = context;
  const leader = writableLeader(record);
  if (leader === null) return; // It is being promoted; the record changes when it has been.
  if (member.memory.followed?.timeline !== leader.timeline && !(await mayFollow(member, leader))) {
    // Its position cannot be vouched for while it runs: stopped, its disk tells exactly (rule
    // "rejoin").
    await stopServer(context);
    return;
  }
  const request = { record, upstream: leader.address, asPrimary: false };
  const changed = await writeMemberSettings(member, request);
  const another = await followsAnother(member, request);
  if (another && needsRestartToFollow(member)) {
    await stopServer(context);
    await startAsStandby(context, leader.address);
  } else {
    await writeStandbyMode(member, request);
    if (changed || another) await reloadSettings(member, context.signal);
  }
  await dropUnusedSlots(member);
}

/**
 * Whether all that it has received and replayed is in the primary's history; if so that is
 * remembered.
 */
async function mayFollow(member: Member, leader: Leader): Promise<boolean> {
  const { receiveLsn, replayLsn } = await member.positions.read();
  const endLsn = greatestLsn(parseLsnOrNull(receiveLsn), parseLsnOrNull(replayLsn));
  const timeline = endLsn === null ? null : member.memory.timelineAt(endLsn);
  if (endLsn === null || timeline === null) return false;
  const upstream = await historyOf(member, leader);
  if (relationTo(upstream, { timeline, endLsn }).kind !== "behind") return false;
  await rememberFollowing(member, { upstream, end: { timeline } });
  return true;
}
