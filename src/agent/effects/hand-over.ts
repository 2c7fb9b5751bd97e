// A switchover, from the old primary's side: checkpoint, announce, shut down, prove that the
// successor has everything, hand the lease over by name. Refused beforehand when it cannot end
// well; undone when the successor does not get there.
import { join } from "node:path";
import { UnderstudyError, messageOf } from "../../core/errors.ts";
import { lsnDistance, parseLsn, parseLsnOrNull, formatLsn, type Lsn } from "../../core/lsn.ts";
import { MAX_HAND_OVER_LAG_BYTES } from "../../core/protocol/successor.ts";
import { configuredUpstream, isDelayed } from "../../core/cascade.ts";
import type { Order } from "../../core/protocol/orders.ts";
import type { Scheduled } from "../../core/protocol/schedule.ts";
import type { ClusterRecord } from "../../core/record.ts";
import {
  beginSwitchover,
  isFenced,
  releaseLease,
  withdrawSwitchover,
} from "../../core/record-changes.ts";
import { CONTROL_FILE, readControlData } from "../../postgres/control-data.ts";
import { FileWatch } from "../../postgres/file-watch.ts";
import { trustOf, type Member } from "../member.ts";
import { askStatus, postToAgent } from "../peer.ts";
import { readReplication } from "../probe.ts";
import type { EffectContext } from "./effect.ts";

const CHECKPOINT_LIMIT_MS = 60_000;
const SHUTDOWN_LIMIT_MS = 30_000;
const REPLAY_LIMIT_MS = 10_000;
/** How late its shutdown is seen, where the system does not tell. */
const LOOK_MS = 10;

type Situation = Pick<EffectContext, "member" | "record" | "signal">;

interface HandOver extends Situation {
  readonly to: string;
  /** Why it is done. */
  readonly order: Order;
  /** What it is the time for; it is not done once that was cancelled. */
  readonly scheduled?: Scheduled;
}

/** Why the member cannot take over now; null when it can. Changes nothing. */
export async function whyNot(situation: Situation & { to: string }): Promise<string | null> {
  const { member, record, to, signal } = situation;
  const address = record.members[to];
  if (address === undefined) return `the cluster has no member ${to}`;
  if (to === member.name) return `${to} is the primary already`;
  if (record.switchover !== null)
    return `a switchover from ${record.switchover.from} to ${record.switchover.to} is under way`;
  if (isFenced(record, to)) return `${to} is fenced`;
  if (isDelayed(address)) return `${to} is set to hold back what it receives`;
  const asking = { trust: trustOf(member, to), timeoutMs: 2_000, signal };
  const status = await askStatus(address, asking).catch((thrown: unknown) => messageOf(thrown));
  if (typeof status === "string") return `the agent of ${to} does not answer (${status})`;
  if (status.cluster !== member.cluster || status.name !== to)
    return `the agent at the address of ${to} is that of ${status.name} of ${status.cluster}`;
  if (status.role !== "standby" || status.state !== "streaming")
    return `${to} is ${status.state}${status.reason === null ? "" : ` (${status.reason})`}, it must be streaming`;
  const peers = await readReplication(member.session);
  const peer = peers.find(({ applicationName }) => applicationName === to);
  // One that streams through another standby tells itself how far it is.
  const isCascaded = status.upstream !== null && status.upstream !== member.name;
  if (peer === undefined && !isCascaded) return `${to} does not stream from ${member.name}`;
  const own = await member.positions.read();
  const lag = lsnDistance({
    from: parseLsnOrNull((peer ?? status).replayLsn) ?? (0n as Lsn),
    to: parseLsn(own.writeLsn ?? "0/0"),
  });
  if (lag > MAX_HAND_OVER_LAG_BYTES)
    return `${to} is ${lag} bytes behind, at most ${MAX_HAND_OVER_LAG_BYTES} are allowed`;
  return null;
}

/**
 * @throws UnderstudyError SWITCHOVER_REFUSED (nothing changed) or SWITCHOVER_FAILED (undone: this
 * member leads on).
 */
export async function handOver(situation: HandOver): Promise<void> {
  const { member, record, to, order, scheduled } = situation;
  await refuseObstacle(situation);
  await checkpoint(situation);
  // It may have taken long, and nothing has been changed yet.
  await refuseObstacle(situation);
  const told = { from: member.name, to, term: record.term };
  const plan = scheduled === undefined ? told : { ...told, scheduled };
  if ((await member.keeper.change((current) => beginSwitchover(current, plan))) === null)
    throw new UnderstudyError(
      "SWITCHOVER_REFUSED",
      `cannot switch over to ${to}: the record has changed meanwhile`,
    );
  member.event({
    event: "switchover-begun",
    rule: order,
    message: `${member.name} hands over to ${to}.`,
    details: { term: record.term, from: member.name, to },
  });
  try {
    const end = await shutDown(situation);
    await successorHasAll(situation, end);
    await release(situation, end);
  } catch (thrown) {
    await undo(situation, thrown);
    throw new UnderstudyError(
      "SWITCHOVER_FAILED",
      `${to} did not take over and ${member.name} leads on: ${messageOf(thrown)}`,
      { cause: thrown },
    );
  }
}

async function refuseObstacle(situation: HandOver): Promise<void> {
  const obstacle = await whyNot(situation);
  if (obstacle === null) return;
  throw new UnderstudyError(
    "SWITCHOVER_REFUSED",
    `cannot switch over to ${situation.to}: ${obstacle}`,
  );
}

/** Writes go on while the dirty pages are written; the shutdown's own checkpoint is then short. */
async function checkpoint({ member, to }: HandOver): Promise<void> {
  try {
    await member.longSession.once("CHECKPOINT", { timeoutMs: CHECKPOINT_LIMIT_MS });
  } catch (cause) {
    throw new UnderstudyError(
      "SWITCHOVER_REFUSED",
      `cannot switch over to ${to}: the checkpoint before it did not end within ${CHECKPOINT_LIMIT_MS / 1000} s (${messageOf(cause)}); nothing was changed`,
      { cause },
    );
  }
}

/** @returns the shutdown checkpoint: nothing of any commit lies behind it. */
async function shutDown({ member, record, to, signal }: Situation & { to: string }): Promise<Lsn> {
  await cutOffOthers(member, upstreamsOf(record, to));
  await member.session.close();
  member.leaderWatch.noteOwnEnd();
  await member.server.requestStop("fast");
  // Not until its processes are gone: they wait for the archiver, and nothing can be written any
  // more (postgres-facts, "switchover floor").
  const deadline = performance.now() + SHUTDOWN_LIMIT_MS;
  using control = new FileWatch(join(member.paths.data, CONTROL_FILE), { pollMs: LOOK_MS });
  for (;;) {
    signal.throwIfAborted();
    // Asked first: what its end left on disk is read after it.
    const isGone = await hasEnded(member);
    const { state, checkpointLsn } = await readControlData(member.paths.data);
    if (state === "shut down") return checkpointLsn;
    if (isGone)
      throw new UnderstudyError(
        "SWITCHOVER_FAILED",
        `PostgreSQL of ${member.name} ended without a clean shutdown`,
      );
    if (performance.now() > deadline) {
      // The record still names this member: what it does next is to start and be promoted again.
      await member.server.requestStop("immediate");
      throw new UnderstudyError(
        "TIMED_OUT",
        `${member.name} did not shut down within ${SHUTDOWN_LIMIT_MS / 1000} s`,
      );
    }
    await control.changed();
  }
}

async function hasEnded(member: Member): Promise<boolean> {
  const { kind } = await member.server.state();
  return kind === "stopped" || kind === "orphaned";
}

/**
 * The shutdown waits for every connected standby, so one that lags or is silent would hold it up.
 */
async function cutOffOthers({ session }: Member, needed: readonly string[]): Promise<void> {
  await session.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_replication
      WHERE application_name <> ALL ($1)
        AND (state <> 'streaming' OR flush_lsn IS NULL
             OR pg_wal_lsn_diff(pg_current_wal_lsn(), flush_lsn) > $2)`,
    [needed, MAX_HAND_OVER_LAG_BYTES],
  );
}

/** The successor and the standbys through which it streams. */
function upstreamsOf(record: ClusterRecord, to: string): string[] {
  const names = [to];
  for (let at = configuredUpstream(record, to); at !== null && at !== record.leader?.member;) {
    names.push(at);
    at = configuredUpstream(record, at);
  }
  return names;
}

async function successorHasAll(
  { member, record, to, signal }: Situation & { to: string },
  end: Lsn,
): Promise<void> {
  const address = record.members[to];
  if (address === undefined)
    throw new UnderstudyError("MEMBER_NOT_FOUND", `${to} is not in the record`);
  await postToAgent(address, {
    path: "/await-replay",
    body: { member: to, beyond: formatLsn(end), timeoutMs: REPLAY_LIMIT_MS },
    token: member.secrets.apiToken,
    trust: trustOf(member, to),
    timeoutMs: REPLAY_LIMIT_MS + 1_000,
    signal,
  });
}

async function release({ member, record, to, order }: HandOver, end: Lsn): Promise<void> {
  const ending = { by: member.name, rule: order, downMs: member.leaderWatch.takeOwnEnd() };
  const holder = { member: member.name, term: record.term, heir: to, ending };
  const released = await member.keeper.change((current) => releaseLease(current, holder));
  if (released === null)
    throw new UnderstudyError("SWITCHOVER_FAILED", "the lease was no longer this member's");
  member.event({
    event: "handed-over",
    rule: order,
    message: `${member.name} is shut down at ${formatLsn(end)}, ${to} has all of it and may take the lease.`,
    details: { term: record.term, from: member.name, to, lsn: formatLsn(end) },
  });
}

async function undo({ member, to, order }: HandOver, thrown: unknown): Promise<void> {
  member.leaderWatch.takeOwnEnd();
  await member.keeper.change(withdrawSwitchover).catch(() => null);
  member.event({
    event: "switchover-undone",
    rule: order,
    level: "error",
    message: `${to} did not take over: ${messageOf(thrown)}; ${member.name} leads on.`,
  });
}
