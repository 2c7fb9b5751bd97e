// Makes this member the primary, under its lease: by signal, which works on all majors and where no
// connection is possible, and watching for the moment itself instead of polling as pg_promote()
// does (postgres-facts, "from promote request to first write").
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { UnderstudyError } from "../../core/errors.ts";
import { parseLsn } from "../../core/lsn.ts";
import { CONTROL_FILE, readControlData } from "../../postgres/control-data.ts";
import { firstService } from "../../core/protocol/service.ts";
import { clearSpool } from "../../postgres/wal-rescue/spool.ts";
import { headsBeyondItsWal } from "../../postgres/unreached-histories.ts";
import { FileWatch } from "../../postgres/file-watch.ts";
import { factsOf } from "../../postgres/majors.ts";
import type { Member } from "../member.ts";
import { recordSystemId } from "./bootstrap.ts";
import { readInRecovery } from "../probe.ts";
import type { WalReach } from "../reach.ts";
import { ownReach, reachAt } from "../own-reach.ts";
import { describeWriteGap } from "../write-gap.ts";
import type { EffectContext } from "./effect.ts";
import { announce, keepReplicationRole } from "./lead.ts";
import { awaitShown, cutApplications, writeService } from "./service.ts";
import { writeMemberSettings } from "./settings.ts";
import { stopServer } from "./start.ts";

/** How late it is seen that it is writable, where the system does not tell. */
const LOOK_MS = 10;
const CHECKPOINT_LIMIT_MS = 300_000;
const CHECKPOINT_AFTER_MS = 3_000;
const REQUEST_AGAIN_MS = 200;
/** Replay may take long; it is given up only when nothing moves for this long. */
const STALL_LIMIT_MS = 60_000;

export async function promote(decided: EffectContext): Promise<void> {
  const { member, decision, signal } = decided;
  const begun = performance.now();
  await recordSystemId(member);
  // The lease may have changed hands since the decision, and what is promised of commits may have
  // become more: never promote on an old record, nor while the store does not say whose it is.
  const record = await member.keeper.confirmLease(decided.record.term);
  if (record === null) return;
  const context = { ...decided, record };
  const from = await member.positions.read().catch(() => null);
  const reach = from === null ? await ownReach(member) : await reachAt(member, from);
  if (from !== null && from.inRecovery && (await headsAstray(member, reach))) {
    // Started anew, without that history, it heads for the end of what it has.
    await stopServer(context);
    return;
  }
  if (from?.inRecovery !== false) await rememberBeginning(member, { ...reach, term: record.term });
  await closeDoor(context);
  // What a delayed standby holds back it replays at once when it is promoted (measured on 10 to
  // 18).
  if (from !== null && from.inRecovery) await clearTheWay(member, from);
  await becomeWritable(member, { term: record.term, signal });
  // Applications find it from here on; what is left to do is the cluster's own.
  member.wake();
  // What was rescued is replayed; left there, it would replace newer WAL one day.
  await clearSpool(member.paths.spool);
  const position = await member.positions.read();
  member.progress(null);
  await keepReplicationRole(member);
  await announce({ member, record, position });
  // With synchronous replication nobody can write before standbys have all that it has: the event
  // "opened" tells for how long.
  const { isOpen } = member.sync;
  const gap = describeWriteGap(isOpen ? member.leaderWatch.endWriteGap(record) : null);
  const pause = isOpen ? gap.clause : "; it takes applications when standbys have all that it has";
  member.event({
    event: "promoted",
    rule: decision.rule,
    message: `${member.name} is the primary of term ${record.term}, on timeline ${position.timeline}, from ${position.writeLsn}${pause}.`,
    details: {
      term: record.term,
      takenBy: record.history.at(-1)?.reason ?? null,
      ended: record.ended,
      secondsWithoutPrimary: gap.secondsWithoutPrimary,
      timeline: position.timeline,
      lsn: position.writeLsn,
      milliseconds: Math.round(performance.now() - begun),
    },
  });
  // Settings that only a primary has, such as values lower than its standbys still run with.
  if (await writeMemberSettings(member, { record, upstream: null, asPrimary: true }))
    await member.server.reload();
  void checkpointLater(member);
}

/**
 * Who cannot write that down does not lead: nobody could follow it, and what it writes would be
 * taken for an earlier leader's.
 */
async function rememberBeginning(
  member: Member,
  { lsn, timeline, term }: WalReach & { readonly term: number },
): Promise<void> {
  if (lsn === null || timeline === null)
    throw new UnderstudyError(
      "PROMOTE_FAILED",
      `cannot promote ${member.name}: it is not known on which timeline its WAL ends, and where`,
    );
  await member.memory.rememberBeginning({ leader: member.name, term, timeline, lsn });
}

/** A history that it has fetched and got nothing of, as from a primary that is lost. */
async function headsAstray({ paths }: Member, { timeline }: WalReach): Promise<boolean> {
  return timeline !== null && (await headsBeyondItsWal(paths.data, timeline));
}

/**
 * Before it is writable: nobody may see commits that no standby has, nor is any acknowledged until
 * it waits for standbys. Who connects before the postmaster has read that would stay, so it is
 * waited for before those that are connected are cut off. Where it does not let anybody in yet
 * nobody is: it reads its settings before it begins to, and before it acts on a request that comes
 * later. Only its own word tells: one that does not answer in time may have applications.
 */
async function closeDoor({ member, record, signal }: EffectContext): Promise<void> {
  const { guarantee } = record.sync;
  if (guarantee === null) return;
  member.sync.isOpen = false;
  const change = { member, record, signal, service: firstService(guarantee) };
  await writeService(change);
  const { kind } = await member.server.state();
  if (kind !== "accepting" && kind !== "held") return;
  await awaitShown(change);
  await cutApplications(member);
}

/**
 * pg_control lags behind until the next checkpoint, and pg_rewind reads it (lesson 26). Nobody
 * waits for this one, and it comes after those that the standbys' copies begin with.
 */
async function checkpointLater({ longSession }: Member): Promise<void> {
  await delay(CHECKPOINT_AFTER_MS, undefined, { ref: false });
  await longSession.once("CHECKPOINT", { timeoutMs: CHECKPOINT_LIMIT_MS }).catch(() => {});
}

/**
 * A reader that conflicts with replay would hold the promotion up for as long as
 * max_standby_streaming_delay, and on 10 to 12 a paused replay for ever. Readers are only cut where
 * replay is behind: otherwise nothing holds it.
 */
async function clearTheWay(
  member: Member,
  position: { receiveLsn: string | null; replayLsn: string | null },
): Promise<void> {
  const { session } = member;
  const { receiveLsn, replayLsn } = position;
  if (!factsOf(member.file().installation.major).promotesWhenReplayIsPaused)
    await session.query("SELECT pg_wal_replay_resume()");
  if (receiveLsn === null || replayLsn === null || parseLsn(receiveLsn) <= parseLsn(replayLsn))
    return;
  await cutReaders(member);
}

/** Those at work: a reader that conflicts with replay holds it up for as long as it may. */
export async function cutReaders(member: Member): Promise<void> {
  const cut = await member.session.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND state <> 'idle'`,
  );
  if (cut.length > 0)
    member.event({
      event: "readers-cut",
      message: `${cut.length} readers of ${member.name} were disconnected, so that none holds up its promotion.`,
    });
}

async function becomeWritable(
  member: Member,
  { term, signal }: { readonly term: number; readonly signal: AbortSignal },
): Promise<void> {
  const stall = { sinceMs: performance.now(), replayLsn: "" };
  let requestedMs = -Infinity;
  // Written as the last step of a promotion, when the server takes writes already.
  using control = new FileWatch(join(member.paths.data, CONTROL_FILE), { pollMs: LOOK_MS });
  for (;;) {
    signal.throwIfAborted();
    // A request that comes before the startup process lives is lost, so it is repeated; a second
    // one does no harm.
    if (performance.now() - requestedMs > REQUEST_AGAIN_MS) {
      if (requestedMs > 0) await refuseStall(member, stall);
      await requestPromotion(member, term);
      requestedMs = performance.now();
    }
    if (await isWritable(member)) return;
    await control.changed();
  }
}

/** While it takes no connections it recovers, and is given the time it needs (lesson 53). */
async function refuseStall(
  member: Member,
  stall: { sinceMs: number; replayLsn: string },
): Promise<void> {
  const position = await member.positions.read().catch(() => null);
  const shutOut = position === null ? await member.shutOut.look() : null;
  if (shutOut !== null)
    throw new UnderstudyError("PROMOTE_FAILED", `cannot promote ${member.name}: ${shutOut.why}`);
  if (position === null || position.replayLsn !== stall.replayLsn) {
    stall.replayLsn = position?.replayLsn ?? "";
    stall.sinceMs = performance.now();
  }
  if (performance.now() - stall.sinceMs > STALL_LIMIT_MS)
    throw new UnderstudyError(
      "PROMOTE_FAILED",
      `cannot promote ${member.name}: its replay stands at ${stall.replayLsn} for ${STALL_LIMIT_MS / 1000} s`,
    );
}

async function requestPromotion(member: Member, term: number): Promise<void> {
  if ((await member.server.state()).kind !== "stopped")
    return member.server.requestPromotion(() => member.keeper.holds(term));
  const complaint = await member.server.lastComplaint();
  throw new UnderstudyError(
    "PROMOTE_FAILED",
    `cannot promote ${member.name}: its PostgreSQL ended: ${complaint ?? "it did not say why"}`,
  );
}

/** Where no connection is to be had, pg_control tells; then a connection must follow. */
async function isWritable(member: Member): Promise<boolean> {
  const isInRecovery = () => readInRecovery(member.session);
  try {
    return !(await isInRecovery());
  } catch {
    const control = await readControlData(member.paths.data).catch(() => null);
    if (control?.state !== "in production") return false;
    return isInRecovery().then(
      (still) => !still,
      () => false,
    );
  }
}
