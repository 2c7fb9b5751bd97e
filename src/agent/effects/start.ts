// Starts and stops the server. Every start is one as a standby: a member becomes writable by
// promotion alone, whatever its disk says (lesson 3).
import { formatLsn } from "../../core/lsn.ts";
import { firstService } from "../../core/protocol/service.ts";
import { clearManagedAutoConf } from "../../postgres/settings/auto-conf.ts";
import { removeStaleLogs } from "../../postgres/settings/stale-logs.ts";
import { clearSpool } from "../../postgres/wal-rescue/spool.ts";
import { dropBegunRecord } from "../../postgres/begun-record.ts";
import { factsOf } from "../../postgres/majors.ts";
import { removeUnreachedHistories } from "../../postgres/unreached-histories.ts";
import type { Upstream } from "../../postgres/settings/context.ts";
import type { WalEnd } from "../../postgres/wal-end.ts";
import type { EffectContext } from "./effect.ts";
import { forgetFetched } from "../dead-wal.ts";
import { giveHeadStart } from "./head-start.ts";
import { lowersStandbySettings, writeMemberSettings, writeStandbyMode } from "./settings.ts";

type KnownEnd = Pick<WalEnd, "timeline" | "begunLsn">;
type Situation = Pick<EffectContext, "member" | "record" | "signal">;

/** How long a fast shutdown may take before it is reported; it goes on nevertheless. */
const STOP_LIMIT_MS = 60_000;

/** Of the leader, before its promotion, and of a member that nobody leads yet. */
export async function start(context: EffectContext): Promise<void> {
  if (context.decision.rule === "start-and-wait") await giveHeadStart(context);
  await startAsStandby(context, null, { arguments: foundersArguments(context) });
}

/**
 * Of the founder, which is promoted at once: as long as nobody has ever led there is no WAL
 * anywhere that a rescue could bring, and looking for it starts nine shells. Once it has been
 * promoted this run is never in recovery again. Where a change of restore_command waits for a
 * restart the server would go on telling that it waits.
 */
function foundersArguments({ member, record }: EffectContext): readonly string[] {
  const { leader, term, forks } = record;
  const isFirstLead = term === 1 && leader?.member === member.name && leader.timeline === null;
  const { reloadableRestoreCommand } = factsOf(member.file().installation.major);
  if (!isFirstLead || forks.length > 0 || !reloadableRestoreCommand) return [];
  return ["-c", "restore_command="];
}

/**
 * @param extra.arguments settings for this run alone.
 * @param extra.end of its WAL, where that has just been read.
 * @throws UnderstudyError START_FAILED with the server's own words.
 */
export async function startAsStandby(
  { member, record, signal }: Situation,
  upstream: Upstream | null,
  extra: {
    readonly withoutDelay?: boolean;
    readonly arguments?: readonly string[];
    readonly end?: KnownEnd;
  } = {},
): Promise<void> {
  await endOrphans(member, signal);
  const asPrimary = record.leader?.member === member.name;
  const service = firstService(record.sync.guarantee);
  const request = {
    record,
    upstream,
    asPrimary,
    service,
    withoutDelay: extra.withoutDelay === true,
  };
  await clearSpool(member.paths.spool);
  await forgetFetched(member.paths);
  await tidyBeforeStart(member, { signal, ...(extra.end === undefined ? {} : { end: extra.end }) });
  await writeMemberSettings(member, request);
  await writeStandbyMode(member, request);
  member.progress({ step: "starting", bytesDone: null, bytesTotal: null, remainingSeconds: null });
  const withoutReaders = asPrimary && (await lowersStandbySettings(member, request));
  // The leader need not wait until it takes connections, which it may never do before its promotion
  // (postgres-facts, "crashed former primary"): it is promoted by signal as soon as the server
  // lives.
  await member.server.start({
    until: asPrimary ? "running" : "accepting",
    arguments: [...(extra.arguments ?? []), ...(withoutReaders ? ["-c", "hot_standby=off"] : [])],
    signal,
  });
}

/**
 * Beside a longer step that comes before the start, which then finds the files written. What fails
 * here fails there again, where it counts.
 */
export async function prepareSettings(
  { member, record }: Pick<Situation, "member" | "record">,
  part: { readonly upstream: Upstream | null; readonly asPrimary: boolean },
): Promise<void> {
  const service = firstService(record.sync.guarantee);
  await writeMemberSettings(member, { record, service, ...part }).catch(() => {});
}

/** What a dead server has left may go on to commit and to acknowledge (postgres-facts, 5). */
export async function endOrphans(
  member: Pick<EffectContext["member"], "name" | "server" | "event">,
  signal: AbortSignal,
): Promise<void> {
  const killed = await member.server.killOrphans(signal);
  if (killed > 0)
    member.event({
      event: "orphans-killed",
      level: "warning",
      message: `${killed} processes of a dead PostgreSQL of ${member.name} were still alive; they were ended.`,
    });
}

/**
 * The beginning of a record that nobody may have the rest of, histories that lead nowhere, what
 * ALTER SYSTEM may have put in the way of what we render, and logs that would grow for ever.
 */
async function tidyBeforeStart(
  member: EffectContext["member"],
  options: { signal: AbortSignal; end?: KnownEnd },
): Promise<void> {
  const { signal } = options;
  const begun = await dropBegunRecord(member.paths.data, options);
  if (begun !== null)
    member.event({
      event: "begun-record-dropped",
      message: `The WAL of ${member.name} ended in the middle of a record, begun at ${formatLsn(begun)}, at the end of a segment; that beginning was dropped, so that whatever follows there can be streamed.`,
      details: { lsn: formatLsn(begun) },
    });
  const unreached = await removeUnreachedHistories(member.paths.data, { signal });
  if (unreached.length > 0)
    member.event({
      event: "histories-removed",
      message: `${member.name} has no WAL of timeline ${unreached.join(" and ")}: the history file, of a promotion that did not end or of a primary that is lost, was removed, or its PostgreSQL would head for it.`,
      details: { timelines: unreached },
    });
  const removed = await clearManagedAutoConf(member.paths.data);
  if (removed.length > 0)
    member.event({
      event: "alter-system-undone",
      level: "warning",
      message: `${removed.join(", ")} was set by ALTER SYSTEM on ${member.name}, but Understudy sets it itself; that line was taken out.`,
    });
  await removeStaleLogs({ logDir: member.paths.logs, now: new Date() });
}

/** Ends a server that must not take writes any longer, or that is to be started anew. */
export async function stopServer({
  member,
  signal,
}: Pick<Situation, "member" | "signal">): Promise<void> {
  await member.session.close();
  await member.server.stop({ mode: "fast", timeoutMs: STOP_LIMIT_MS, signal });
}

/** A member that leads no more but is still writable. */
export async function fence(context: EffectContext): Promise<void> {
  const { member, record, decision } = context;
  if (decision.rule === "fence-old-primary")
    member.event({
      event: "fenced",
      rule: decision.rule,
      level: "warning",
      message: `${member.name} was writable without the lease of term ${record.term}; its PostgreSQL is stopped.`,
      details: { term: record.term, leader: record.leader?.member ?? null },
    });
  // It would not hear a request to shut down.
  if (decision.rule === "end-held-server") await endHeld(context);
  else await stopServer(context);
}

async function endHeld({ member, signal }: EffectContext): Promise<void> {
  await member.session.close();
  await member.server.kill(signal);
  member.event({
    event: "held-server-ended",
    rule: "end-held-server",
    level: "warning",
    message: `PostgreSQL of ${member.name} was stopped by a signal and served nobody; it was ended.`,
  });
}
