// The protocol's effects, carried out on models: the same order of steps as in src/agent/effects,
// each taking virtual time, each cut off by its signal.
import type { Effects } from "../../../src/agent/effects/effect.ts";
import { freeOwnLease } from "../../../src/agent/effects/fence.ts";
import { announce } from "../../../src/agent/effects/lead.ts";
import { giveUpLease, takeNamedLease } from "../../../src/agent/effects/lease.ts";
import { rememberFollowing } from "../../../src/agent/effects/rejoin.ts";
import { writableLeader } from "../../../src/agent/member.ts";
import { UnderstudyError } from "../../../src/core/errors.ts";
import { isSameFork } from "../../../src/core/fork.ts";
import { formatLsn, parseLsn } from "../../../src/core/lsn.ts";
import { OPEN } from "../../../src/core/protocol/service.ts";
import type { Ground } from "../../../src/core/protocol/situation.ts";
import type { ClusterRecord } from "../../../src/core/record.ts";
import { setSystemId, withdrawSwitchover } from "../../../src/core/record-changes.ts";
import type { UpstreamHistory } from "../../../src/postgres/upstream-history.ts";
import { clone } from "./clone.ts";
import { freeLease, receivedTimeline, refuseShut, stand, stepDown } from "./election.ts";
import type { ModelContext, ModelMember } from "./member.ts";
import { confirmTurn } from "./rewind-turn.ts";
import { rewind, whyNotRewind } from "./rewind.ts";
import { writeSettings } from "./service.ts";
import { stepDownShutOut } from "./shut-out.ts";
import { keepSlots } from "./slots.ts";
import { startAsStandby } from "./start.ts";
import {
  endOfData,
  stopModel,
  upstreamHistory,
  type Primary,
  type Steps,
  type WalPosition,
} from "./steps.ts";
import { pointAt } from "./supply.ts";
import { synchronize } from "./synchronize.ts";
import { endOf, toLsn, type DataDirectory } from "./wal.ts";

const PROMOTE_LIMIT_MS = 60_000;
const REQUEST_AGAIN_MS = 200;

/** As observeGround. */
export async function observeModel(
  { name, model, disk }: ModelMember,
  record: ClusterRecord | null,
): Promise<Ground> {
  if (model.isHeld) return "held";
  switch (model.state) {
    case "starting":
    case "stopping":
      return model.state;
    case "accepting":
      if (!model.inRecovery) return "primary";
      if (model.closed) return "closed";
      return record !== null && record.leader?.member !== name && model.promotionAsked
        ? "closed"
        : "standby";
    case "stopped":
      if (disk.marker) return "half-made";
      if (disk.data === null) return "nothing";
      if ((record?.systemId ?? disk.data.systemId) !== disk.data.systemId) return "foreign";
      return disk.data.control === "in production" ? "crashed" : "stopped";
  }
}

export function modelEffects(steps: Steps): Effects<ModelMember> {
  return {
    "take-lease": takeNamedLease,
    "give-up-lease": giveUpLease,
    "step-down": (context) =>
      context.decision.rule === "step-down-when-shut-out"
        ? stepDownShutOut(steps, context)
        : stepDown(steps, context, () => startAsStandby(steps, context, null)),
    "open-election": freeLease,
    stand: (context) => stand(steps, context),
    bootstrap: (context) => bootstrap(context),
    start: (context) => startAsStandby(steps, context, null),
    promote: (context) => promote(steps, context),
    lead: (context) => lead(steps, context),
    clone: (context) => clone(steps, context),
    rejoin: (context) => rejoin(steps, context),
    follow: (context) => follow(steps, context),
    stop: async (context) => {
      // As endHeld: it would not hear a request to shut down.
      if (context.decision.rule === "end-held-server") context.member.model.crash();
      else await stopModel(context);
    },
    fence: async (context) => {
      // One that is held would not hear a request to shut down.
      if (context.member.model.isHeld) context.member.model.crash();
      else await stopModel(context);
    },
    resign: async (context) => {
      steps.killOrphans(context.member);
      await freeOwnLease(context);
    },
    retire: stopModel,
  };
}

async function bootstrap({ member, signal }: ModelContext): Promise<void> {
  await member.life.sleep(member.random.between(300, 1_500), signal);
  member.disk.data ??= firstData(member.random.between(1, 1 << 30));
  await recordSystemId(member);
}

async function recordSystemId({ keeper, disk }: ModelMember): Promise<void> {
  const systemId = disk.data?.systemId;
  if (keeper.record?.systemId !== null || systemId === undefined) return;
  await keeper.change((record) => setSystemId(record, systemId));
}

async function promote(steps: Steps, decided: ModelContext): Promise<void> {
  const { member, signal } = decided;
  const { model, life } = member;
  await recordSystemId(member);
  const record = await steps.mayStillPromote(decided);
  if (record === null) return;
  const context = { ...decided, record };
  // What does not answer is not asked how far it is.
  if (model.takesConnections && model.inRecovery && steps.headsBeyondItsWal(member))
    return stopModel(context);
  if (model.inRecovery) await steps.rememberBeginning(member, record.term);
  await steps.closeDoor(member, record, signal);
  for (let waitedMs = 0; !model.isWritable || model.door.isShut; waitedMs += 10) {
    if (model.state === "stopped" || waitedMs > PROMOTE_LIMIT_MS)
      throw new UnderstudyError("PROMOTE_FAILED", `${member.name} was not promoted`);
    if (waitedMs % REQUEST_AGAIN_MS === 0) {
      // As refuseStall.
      const isSilent = model.state === "starting" || model.door.isShut;
      if (isSilent && (await member.shutOut.look()) !== null)
        throw new UnderstudyError("PROMOTE_FAILED", `${member.name} lets nobody in`);
      if (steps.mayRequest(context)) model.requestPromotion(record.term);
    }
    await life.sleep(10, signal);
  }
  await announceModel(member, context);
}

async function lead(steps: Steps, context: ModelContext): Promise<void> {
  const { member, record } = context;
  if (record.switchover?.from === member.name) await member.keeper.change(withdrawSwitchover);
  refuseShut(member);
  await member.life.sleep(member.random.between(2, 20), context.signal);
  await announceModel(member, context);
  await synchronize(steps, context, { waits: false });
  keepSlots(steps, member, record);
  await synchronize(steps, context, { waits: true });
}

async function announceModel(member: ModelMember, { record }: ModelContext): Promise<void> {
  const { data } = member.disk;
  if (data === null || member.model.state !== "accepting") return;
  const { timeline, lsn } = endOf(data);
  const { inRecovery } = member.model;
  await announce({
    member,
    record,
    position: { inRecovery, timeline, writeLsn: formatLsn(toLsn(lsn)) },
  });
}

async function rejoin(steps: Steps, context: ModelContext): Promise<void> {
  const { member, record } = context;
  const leader = writableLeader(record);
  if (leader === null) return startAsStandby(steps, context, null);
  steps.killOrphans(member);
  const upstream = await upstreamHistory(member, leader).catch((thrown: unknown) => {
    if (thrown instanceof UnderstudyError && thrown.code === "CONNECTION_FAILED") return null;
    throw thrown;
  });
  if (upstream === null) return serveReadsMeanwhile(steps, context);
  const isFreshCopy = member.disk.data?.freshCopy !== null;
  const end = endOfData(member, upstream);
  const standing = steps.standingOf(member, { end, upstream, record });
  if (standing.kind === "behind") {
    await rememberFollowing(member, { upstream, end, leader, record });
    return startAsStandby(steps, context, await steps.chooseSource(member, { leader, record }));
  }
  const obstacle =
    standing.kind !== "diverged" || isFreshCopy ? "" : whyNotRewind(member, { leader, end });
  if (isFreshCopy) return steps.keepData(member);
  if (obstacle !== null || standing.kind !== "diverged") {
    const turn = await steps.takeRewindTurn(context, leader);
    if (turn === null) return;
    await confirmTurn(member, { turn, leader }).finally(() => (turn.isOver = true));
    return steps.keepData(member);
  }
  const diverged = { leader, switchPoint: standing.switchPoint };
  await rewind(steps, context, {
    ...diverged,
    remember: () => rememberFollowing(member, { upstream, end, leader, record }),
  });
}

async function serveReadsMeanwhile(steps: Steps, context: ModelContext): Promise<void> {
  const control = context.member.disk.data?.control;
  if (control === "shut down in recovery" || control === "in archive recovery")
    return startAsStandby(steps, context, null);
  throw new UnderstudyError("CONNECTION_FAILED", "the primary cannot be asked now");
}

async function follow(steps: Steps, context: ModelContext): Promise<void> {
  const { member, record } = context;
  const leader = writableLeader(record);
  const { data } = member.disk;
  if (leader === null || data === null) return;
  const primary = { leader, record };
  const isKnown = steps.isKnownToFollow(member, primary) && !hasStrayed(member);
  if (!isKnown && !(await mayFollow(steps, member, primary))) return stopModel(context);
  await member.life.sleep(member.random.between(1, 10), context.signal);
  const source = await steps.chooseSource(member, { leader, record });
  context.signal.throwIfAborted();
  const { service } = member.disk;
  writeSettings(member, OPEN);
  refuseShut(member);
  keepSlots(steps, member, record);
  pointAt(member, source);
  if (data.upstream === source && service === member.disk.service) return;
  data.upstream = source;
  member.model.reload();
}

/** As mayFollow in src/agent/effects/follow.ts. */
async function mayFollow(steps: Steps, member: ModelMember, primary: Primary): Promise<boolean> {
  const { leader, record } = primary;
  const { data } = member.disk;
  const endLsn = data === null ? null : toLsn(endOf(data).lsn);
  const remembered = endLsn === null ? null : member.memory.timelineAt(endLsn);
  const before = hasStrayed(member) ? member.memory.followed?.before : undefined;
  const timeline = before ?? remembered;
  if (endLsn === null || timeline === null) return false;
  const received = receivedTimeline(member.model);
  const upstream = await upstreamHistory(member, leader);
  const end = { timeline, endLsn };
  const { kind } = steps.standingOf(member, { end, upstream, record });
  if (kind !== "behind" && !hasSwitched(member, { received, upstream, end, ...primary }))
    return false;
  if (steps.headsElsewhere(member, { upstream: leader.name, timeline })) return false;
  await rememberFollowing(member, { upstream, end, leader, record });
  return true;
}

/** As in src/agent/own-reach.ts; what streams has not. */
function hasStrayed(member: ModelMember): boolean {
  const { followed } = member.memory;
  const { data } = member.disk;
  if (data === null || followed === null || followed.before === followed.timeline) return false;
  if (receivedTimeline(member.model) !== null) return false;
  const { timeline, lsn } = endOf(data);
  return timeline === followed.before && toLsn(lsn) > parseLsn(followed.switchPoint);
}

/** As hasSwitched in src/agent/effects/follow.ts. */
function hasSwitched(
  { memory }: ModelMember,
  seen: Primary & { received: number | null; upstream: UpstreamHistory; end: WalPosition },
): boolean {
  const { upstream, end, leader, record } = seen;
  const left = upstream.history.ancestors.find(({ timeline }) => timeline === end.timeline);
  return (
    memory.followed?.leader === leader.name &&
    isSameFork(end.timeline, { member: memory.forks, primary: record.forks }) &&
    seen.received === leader.timeline &&
    left !== undefined &&
    end.endLsn >= left.switchPoint
  );
}

function firstData(seed: number): DataDirectory {
  return {
    systemId: String(seed),
    wal: [],
    flushed: 0,
    ancestors: [],
    newest: { timeline: 1, ancestors: [] },
    control: "shut down",
    standbyMode: false,
    upstream: null,
    slots: new Set(),
    freshCopy: null,
    madeAtMs: 0,
    isWhole: true,
  };
}
