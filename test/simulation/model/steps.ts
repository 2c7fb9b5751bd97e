// The steps that the modelled effects are made of, each in its own words so that a deliberate
// defect can take the place of one. What src/agent decides in plain code is called from there.
import type { Clock } from "../../../src/agent/clock.ts";
import type { EffectContext } from "../../../src/agent/effects/effect.ts";
import { electLeader } from "../../../src/core/protocol/election.ts";
import { doubtOf } from "../../../src/core/protocol/quorum.ts";
import type { Scheduled } from "../../../src/core/protocol/schedule.ts";
import { nextServiceStep } from "../../../src/core/protocol/service.ts";
import { beginCopy } from "../../../src/core/record-changes.ts";
import { mayGiveUp } from "../../../src/agent/effects/step-down.ts";
import { standingOf, type Standing } from "../../../src/agent/effects/rejoin.ts";
import { isKnownToFollow } from "../../../src/agent/effects/follow.ts";
import type { Leader } from "../../../src/agent/member.ts";
import { UnderstudyError } from "../../../src/core/errors.ts";
import { lsnFromBigInt, type Lsn } from "../../../src/core/lsn.ts";
import type { ClusterRecord } from "../../../src/core/record.ts";
import type { UpstreamHistory } from "../../../src/postgres/upstream-history.ts";
import type { MachineClock } from "../life.ts";
import { isHarmless, reachedTimeline, saveWal } from "./election.ts";
import { keepAside, keepData, keepWal } from "./kept.ts";
import type { ModelContext, ModelMember } from "./member.ts";
import { takeRewindTurn } from "./rewind-turn.ts";
import { isAlien } from "./slots.ts";
import { awaitBarrier, closeDoor, makeCheckpoint, seeACommitWait } from "./service.ts";
import { isAnyAble, isShutOut, refusalOf } from "./shut-out.ts";
import { chooseSource, pointAt } from "./supply.ts";
import {
  endOf,
  flushedEndOf,
  historyOf,
  isBeginningOf,
  loseUnflushed,
  ownHistory,
  toLsn,
  type DataDirectory,
} from "./wal.ts";

export interface Primary {
  readonly leader: Leader;
  readonly record: ClusterRecord;
}

export interface WalPosition {
  readonly timeline: number;
  readonly endLsn: Lsn;
}

export interface Steps {
  /** @returns whether any was alive. */
  killOrphans(member: ModelMember): boolean;
  /** How a member's data stands to the primary's history. */
  standingOf(
    member: ModelMember,
    of: { end: WalPosition; upstream: UpstreamHistory; record: ClusterRecord },
  ): Standing;
  isKnownToFollow(member: ModelMember, primary: Primary): boolean;
  /** Puts data that others do not have out of the way. */
  keepData(member: ModelMember): void;
  /** The same of a copy that had been set aside before. */
  keepAside(member: ModelMember, data: DataDirectory): void;
  /** Puts a copy of the WAL from that record on out of the way. */
  keepWal(member: ModelMember, from: number): void;
  /** Before each start: histories of timelines on which it has no WAL. */
  removeUnreachedHistories(member: ModelMember): void;
  /** Whether a running standby heads for a timeline that its new upstream does not have. */
  headsElsewhere(member: ModelMember, of: { upstream: string; timeline: number }): boolean;
  /** Whether a running standby heads for a timeline of which it has nothing. */
  headsBeyondItsWal(member: ModelMember): boolean;
  /** Before each start. */
  writeStandbyMode(member: ModelMember, upstream: string | null): void;
  /** The record, where the lease is still what the promotion was decided on. */
  mayStillPromote(context: ModelContext): Promise<ClusterRecord | null>;
  rememberBeginning(member: ModelMember, term: number): Promise<void>;
  /** Just before the request. */
  mayRequest(context: ModelContext): boolean;
  electLeader: typeof electLeader;
  /** What keeps the winner from leading under a promise. */
  doubtOf: typeof doubtOf;
  nextServiceStep: typeof nextServiceStep;
  /** Whether the record is as this member has it, and no write of its own is still on its way. */
  isCertain(member: ModelMember): Promise<boolean>;
  /** Until nothing of the server goes by its former settings, but for the checkpointer. */
  awaitBarrier: typeof awaitBarrier;
  /** The two proofs that the checkpointer has read them too. */
  seeACommitWait: typeof seeACommitWait;
  checkpoint: typeof makeCheckpoint;
  /** Before a promotion. */
  closeDoor: typeof closeDoor;
  /** Says in the record that what this member had confirmed may not be on it any more. */
  beginCopy(member: ModelMember): Promise<void>;
  /** What the old primary's disk has and this member has not. @returns the bytes that are lost. */
  saveWal(
    steps: Pick<Steps, "leaveUpstream">,
    context: EffectContext<ModelMember>,
    from: string,
  ): Promise<number | null>;
  /** Whom a standby is to stream from. */
  chooseSource: typeof chooseSource;
  /** Before WAL of another timeline is taken from there. */
  leaveUpstream(member: ModelMember): void;
  /** Whether a member would stream from another what is not its own. */
  isAlien: typeof isAlien;
  /** Whether it leads and lets nobody in. */
  isShutOut: typeof isShutOut;
  /** How a server turns a login away. */
  refusalOf: typeof refusalOf;
  /** Before a primary that lets nobody in is ended. */
  isAnyAble: typeof isAnyAble;
  mayGiveUp: typeof mayGiveUp;
  /** Last of all before the lease is taken. */
  isHarmless(context: EffectContext<ModelMember>, old: string): Promise<boolean>;
  /** Before a rewind. */
  takeRewindTurn: typeof takeRewindTurn;
  /** Before the first byte of a copy or of a rewind changes. */
  writeMarker(member: ModelMember): void;
  /** Before the lease is handed over: nothing is written any more, and it has all of it. */
  successorHasAll(context: ModelContext & { to: string; end: number }): Promise<void>;
  /** What a switchover is the time for when it begins. */
  scheduleOf(situation: { scheduled?: Scheduled }): { scheduled?: Scheduled };
  /** By which a scheduled switchover goes. */
  clockOfSchedule(clock: Clock, machineClock: MachineClock): Clock;
  /** Before a hand-over. */
  shutDown(context: ModelContext): Promise<number>;
}

const FAR = lsnFromBigInt(1n << 63n);
const STOP_LIMIT_MS = 60_000;
const REPLAY_LIMIT_MS = 10_000;
const REPLAY_POLL_MS = 20;
const CONNECT_LIMIT_MS = 5_000;

export const STEPS: Steps = {
  killOrphans: ({ model, disk }) => {
    if (!model.orphan) return false;
    model.orphan = false;
    if (disk.data !== null) loseUnflushed(disk.data);
    return true;
  },
  standingOf,
  electLeader,
  doubtOf,
  nextServiceStep,
  isCertain: async ({ keeper }) => {
    if (!keeper.isCertain) await keeper.renew();
    return keeper.isCertain;
  },
  awaitBarrier,
  seeACommitWait,
  checkpoint: makeCheckpoint,
  closeDoor,
  beginCopy: async ({ keeper, name }) => {
    await keeper.change((current) => beginCopy(current, name));
  },
  saveWal,
  leaveUpstream: (member) => {
    const { data } = member.disk;
    if (data === null) return;
    pointAt(member, null);
    data.upstream = null;
  },
  chooseSource,
  isAlien,
  isShutOut,
  refusalOf,
  isAnyAble,
  mayGiveUp,
  isHarmless,
  isKnownToFollow,
  keepData: (member) => keepData(member),
  keepAside: (member, data) => keepAside(member, data),
  keepWal: (member, from) => keepWal(member, from),
  removeUnreachedHistories: ({ disk: { data } }) => {
    if (data !== null && data.freshCopy === null) data.newest = ownHistory(data);
  },
  headsElsewhere: ({ disk: { data }, around }, { upstream, timeline }) => {
    const source = around.neighbour(upstream)?.server.disk.data ?? null;
    if (data === null || source === null || data.newest.timeline <= timeline) return false;
    return !isBeginningOf(data.newest, ownHistory(source));
  },
  headsBeyondItsWal: ({ disk: { data } }) =>
    data !== null && data.newest.timeline > endOf(data).timeline,
  writeStandbyMode: ({ disk }, upstream) => {
    if (disk.data === null) return;
    disk.data.standbyMode = true;
    disk.data.upstream = upstream;
  },
  mayStillPromote: ({ member, record }) => member.keeper.confirmLease(record.term),
  rememberBeginning: async (member, term) => {
    const { name: leader, model, memory, disk } = member;
    if (disk.data === null) return;
    const end = endOf(disk.data);
    const timeline = model.state === "accepting" ? reachedTimeline(member) : end.timeline;
    if (timeline === null) return;
    await memory.rememberBeginning({ leader, term, timeline, lsn: toLsn(end.lsn) });
  },
  takeRewindTurn,
  scheduleOf: ({ scheduled }) => (scheduled === undefined ? {} : { scheduled }),
  clockOfSchedule: (clock) => clock,
  mayRequest: ({ member, record }) => member.keeper.holds(record.term),
  writeMarker: ({ disk }) => {
    if (disk.isFull) throw new UnderstudyError("DISK_FULL", "the marker cannot be written");
    disk.marker = true;
  },
  shutDown: async ({ member, signal }) => {
    await stopModel({ member, signal });
    const { data } = member.disk;
    if (data?.control !== "shut down")
      throw new UnderstudyError("SWITCHOVER_FAILED", `${member.name} did not shut down cleanly`);
    return endOf(data).lsn;
  },
  successorHasAll: ({ member, to, end }) =>
    member.around.askAgent(member, {
      to,
      limitMs: REPLAY_LIMIT_MS + 1_000,
      answer: (successor) => awaitReplay(successor, end),
    }),
};

/** As RequestDesk.awaitReplay, at the successor. */
async function awaitReplay({ name, model, disk, life }: ModelMember, end: number): Promise<void> {
  for (let waitedMs = 0; waitedMs < REPLAY_LIMIT_MS; waitedMs += REPLAY_POLL_MS) {
    const data = model.state === "accepting" && !model.isFrozen ? disk.data : null;
    if (data !== null && endOf(data).lsn >= end) return;
    await life.sleep(REPLAY_POLL_MS);
  }
  throw new UnderstudyError("TIMED_OUT", `${name} has not replayed ${end}`);
}

/** Waits until it has stopped, as the real one does. */
export async function stopModel({
  member,
  signal,
}: Pick<ModelContext, "member" | "signal">): Promise<void> {
  const { model, life } = member;
  model.requestStop();
  for (let waitedMs = 0; model.state !== "stopped"; waitedMs += 20) {
    if (waitedMs > STOP_LIMIT_MS)
      throw new UnderstudyError("TIMED_OUT", `${member.name} did not stop`);
    await life.sleep(20, signal);
  }
}

/** @throws UnderstudyError CONNECTION_FAILED as the real one. */
export function upstreamHistory(member: ModelMember, leader: Leader): Promise<UpstreamHistory> {
  return member.around.askServer(member, {
    to: leader.name,
    limitMs: CONNECT_LIMIT_MS,
    answer: (server) => {
      const data = server.isWritable ? server.disk.data : null;
      if (data === null)
        throw new UnderstudyError("CONNECTION_FAILED", `${leader.name} is not writable`);
      const history = historyOf(data);
      if (history.timeline !== leader.timeline)
        throw new UnderstudyError("CONNECTION_FAILED", `${leader.name} is not on its timeline`);
      return { systemId: data.systemId, history, writeLsn: toLsn(flushedEndOf(data)) };
    },
  });
}

/** As endOfData in src/agent/effects/rejoin.ts: a copy that was never started has no WAL yet. */
export function endOfData({ disk }: ModelMember, upstream: UpstreamHistory): WalPosition {
  const { data } = disk;
  if (data === null) throw new UnderstudyError("DATA_MISSING", "there is no data");
  if (data.freshCopy === null) {
    const end = endOf(data);
    return { timeline: end.timeline, endLsn: toLsn(end.lsn) };
  }
  const { timeline, checkpoint } = data.freshCopy;
  const isOnTimeline = timeline === upstream.history.timeline;
  return { timeline, endLsn: isOnTimeline ? toLsn(checkpoint) : FAR };
}
