// A delayed standby that is about to lead: nobody else can. What it held back is replayed first,
// all of it, so that it is promoted with everything that it has received.
import { parseLsnOrNull, ZERO_LSN, type Lsn } from "../../core/lsn.ts";
import { factsOf } from "../../postgres/majors.ts";
import { findWalEnd } from "../../postgres/wal-end.ts";
import type { Member } from "../member.ts";
import type { EffectContext } from "./effect.ts";
import { awaitReplayed } from "./save-wal.ts";
import { holdsBack, reloadSettings, writeMemberSettings } from "./settings.ts";
import { startAsStandby, stopServer } from "./start.ts";

/**
 * Repeatable: the delay is set again as soon as this member follows somebody.
 * @throws UnderstudyError TIMED_OUT when the replay stands.
 */
export async function endDelay(context: Omit<EffectContext, "decision">): Promise<void> {
  const { member, record, signal } = context;
  if (await holdsBack(member)) {
    member.event({
      event: "delay-ended",
      level: "warning",
      message: `${member.name} is to lead, because no other member can: it replays what it was set to hold back.`,
    });
    if (factsOf(member.file().installation.major).recoveryFile === "recovery.conf") {
      await stopServer(context);
      await startAsStandby(context, null, { withoutDelay: true });
    } else {
      const request = { record, upstream: null, asPrimary: false, withoutDelay: true };
      await writeMemberSettings(member, request);
      await reloadSettings(member, signal);
    }
  }
  const step = { bytesDone: null, bytesTotal: null, remainingSeconds: null };
  member.progress({ step: "replaying", ...step });
  await awaitReplayed(member, { endLsn: await endOfReceived(member), signal });
}

/**
 * By the disk: where it was started anew while it held back, its server does not tell what lies
 * beyond its replay.
 */
async function endOfReceived(member: Member): Promise<Lsn> {
  const end = await findWalEnd(member.paths.data).catch(() => null);
  if (end !== null) return end.endLsn;
  return parseLsnOrNull((await member.positions.read()).flushLsn) ?? ZERO_LSN;
}
