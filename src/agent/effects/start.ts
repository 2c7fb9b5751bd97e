// Starts and stops the server. Every start is one as a standby: a member becomes writable by promotion alone, whatever its
// disk says (lesson 3).
import type { Upstream } from "../../postgres/settings/context.ts";
import type { EffectContext } from "./effect.ts";
import { writeMemberSettings, writeStandbyMode } from "./settings.ts";

type Situation = Pick<EffectContext, "member" | "record" | "signal">;

/** How long a fast shutdown may take before it is reported; it goes on nevertheless. */
const STOP_LIMIT_MS = 60_000;

/** Of the leader, before its promotion, and of a member that nobody leads yet. */
export async function start(context: EffectContext): Promise<void> {
  await startAsStandby(context, null);
}

/** @throws UnderstudyError START_FAILED with the server's own words. */
export async function startAsStandby(
  { member, record, signal }: Situation,
  upstream: Upstream | null,
): Promise<void> {
  const killed = await member.server.killOrphans(signal);
  if (killed > 0)
    member.event({
      event: "orphans-killed",
      level: "warning",
      message: `${killed} processes of a dead PostgreSQL of ${member.name} were still alive; they were ended before the start.`,
    });
  const asPrimary = record.leader?.member === member.name;
  await writeMemberSettings(member, { record, upstream, asPrimary });
  await writeStandbyMode(member, { record, upstream, asPrimary });
  member.progress({ step: "starting", bytesDone: null, bytesTotal: null, remainingSeconds: null });
  // The leader need not wait until it takes connections, which it may never do before its promotion
  // (postgres-facts, "crashed former primary"): it is promoted by signal as soon as the server lives.
  await member.server.start({ until: asPrimary ? "running" : "accepting", signal });
}

/** Ends a server that must not take writes any longer, or that is to be started anew. */
export async function stopServer({ member, signal }: Situation): Promise<void> {
  await member.session.close();
  await member.server.stop({ mode: "fast", timeoutMs: STOP_LIMIT_MS, signal });
}

/** A member that leads no more but is still writable. */
export async function fence(context: EffectContext): Promise<void> {
  const { member, record, decision } = context;
  member.event({
    event: "fenced",
    rule: decision.rule,
    level: "warning",
    message: `${member.name} was writable without the lease of term ${record.term}; its PostgreSQL is stopped.`,
    details: { term: record.term, leader: record.leader?.member ?? null },
  });
  await stopServer(context);
}
