// A member that a person has fenced: its server is stopped, and killed where it does not stop; if
// the lease is its own, that is then free for the best standby.
import { UnderstudyError } from "../../core/errors.ts";
import { isElecting, resignLease } from "../../core/record-changes.ts";
import type { Member } from "../member.ts";
import type { EffectContext } from "./effect.ts";
import { endOrphans } from "./start.ts";

/** For a fast shutdown, which waits for standbys and for the archiver. */
const STOP_LIMIT_MS = 20_000;

/** Returns when no process of its server lives. */
export async function fenceServer({ member, decision, signal }: EffectContext): Promise<void> {
  await member.session.close();
  // One that is held would not hear a request to shut down.
  const isHeld = (await member.server.state()).kind === "held";
  const isStopped = !isHeld && (await stopsInTime(member, signal));
  if (!isStopped) await member.server.kill(signal);
  await endOrphans(member, signal);
  member.event({
    event: "fenced",
    rule: decision.rule,
    level: "warning",
    message: `${member.name} is fenced: its PostgreSQL was ${isStopped ? "stopped" : "killed"} and stays so until: understudy unfence ${member.name}`,
    details: { killed: !isStopped },
  });
}

async function stopsInTime({ server }: Member, signal: AbortSignal): Promise<boolean> {
  try {
    await server.stop({ mode: "fast", timeoutMs: STOP_LIMIT_MS, signal });
    return true;
  } catch (thrown) {
    if (thrown instanceof UnderstudyError && thrown.code === "STOP_FAILED") return false;
    throw thrown;
  }
}

/** Its server is down: whatever a dead one has left is ended first, for it may still commit. */
export async function resign(context: EffectContext): Promise<void> {
  await endOrphans(context.member, context.signal);
  await freeOwnLease(context);
}

/** The lease, or being named to take it, goes to whoever is best. */
export async function freeOwnLease({
  member,
  record,
  decision,
}: EffectContext<Pick<Member, "name" | "keeper" | "event" | "leaderWatch">>): Promise<void> {
  const { name } = member;
  const { term } = record;
  const ending = { by: name, rule: decision.rule, downMs: member.leaderWatch.takeOwnEnd() };
  const freed = await member.keeper.change((current) =>
    resignLease(current, { member: name, term, ending }),
  );
  if (freed === null) return;
  member.event({
    event: "resigned",
    rule: decision.rule,
    level: "warning",
    message: `${name} is fenced and leads no more; ${isElecting(freed) ? `the lease of term ${term} is free for the best standby` : "the cluster is paused, so that nobody takes its part by itself"}.`,
    details: { term, lsn: record.leader?.lsn ?? null },
  });
}
