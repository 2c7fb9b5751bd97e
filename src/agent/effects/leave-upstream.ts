// A standby that is given WAL of another timeline from a dead member's disk streams from nobody
// any more, until it follows a primary again. Whoever it was pointed at may come back with another
// timeline of the same number, and PostgreSQL cannot tell the two apart (lesson 19).
import type { EffectContext } from "./effect.ts";
import {
  namesSpool,
  needsRestartToFollow,
  reloadSettings,
  writeMemberSettings,
} from "./settings.ts";
import { startAsStandby, stopServer } from "./start.ts";

/**
 * Has its server look into the filled spool now, instead of at its next interval (postgres-facts,
 * 8). One that was not told of it is told so, and streams from nobody any more.
 */
export async function showSpool(context: Omit<EffectContext, "decision">): Promise<void> {
  if (namesSpool(context.member)) await context.member.server.reload();
  else await leaveUpstream(context);
}

/** Repeatable. It may be about to lead, so a delay that is set for it does not hold either. */
export async function leaveUpstream(context: Omit<EffectContext, "decision">): Promise<void> {
  const { member, record, signal } = context;
  if (needsRestartToFollow(member)) {
    await stopServer(context);
    await startAsStandby(context, null, { withoutDelay: true });
    return;
  }
  const request = { record, upstream: null, asPrimary: false, withoutDelay: true };
  await writeMemberSettings(member, request);
  await reloadSettings(member, signal);
}
