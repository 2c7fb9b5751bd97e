// Keeps synchronous replication as a person wants it, on models: the same passes as in
// src/agent/effects/synchronize.ts. Each next step is decided by the real protocol.
import { termOfTimeline } from "../../../src/core/protocol/election.ts";
import {
  CLOSED,
  NOBODY,
  describeQuorum,
  isSameQuorum,
  type Guarantee,
} from "../../../src/core/protocol/quorum.ts";
import type { ServiceStep, ServiceView } from "../../../src/core/protocol/service.ts";
import { isSyncOff, mayConfirm, wantedQuorum } from "../../../src/core/protocol/sync-set.ts";
import type { ClusterRecord } from "../../../src/core/record.ts";
import { setGuarantee } from "../../../src/core/record-changes.ts";
import type { StandbyStream } from "../../../src/agent/sync/standbys.ts";
import { reachedTimeline } from "./election.ts";
import type { ModelMember } from "./member.ts";
import { changeService, settleService, writeService } from "./service.ts";
import type { Steps } from "./steps.ts";
import { flushedEndOf, toLsn } from "./wal.ts";

const PASS_LIMIT_MS = 2_000;
const POLL_MS = 50;
const ANSWER_LIMIT_MS = 500;
const LOOK_MS = 1_000;

interface Context {
  readonly member: ModelMember;
  readonly signal: AbortSignal;
}

type Situation = ServiceView;

interface Taking extends Situation, Context {
  readonly steps: Steps;
  readonly record: ClusterRecord;
}

/** As synchronize. */
export async function synchronize(
  steps: Steps,
  { member, signal }: Context,
  of: { waits: boolean },
): Promise<void> {
  for (let leftMs = of.waits ? PASS_LIMIT_MS : 0; ; leftMs -= POLL_MS) {
    signal.throwIfAborted();
    const isCertain = await steps.isCertain(member);
    const { record } = member.keeper;
    if (record === null || !member.keeper.holdsLease || !isCertain) return;
    if (!member.model.isWritable) return;
    const situation = await look(member, record);
    const taking = { steps, member, record, signal };
    if (situation?.service.isOpen === true && !member.sync.isSettled) {
      await settleService(steps, { member, signal, service: situation.service });
      member.sync.settled();
      continue;
    }
    const step = situation === null ? null : steps.nextServiceStep(situation);
    if (situation === null || step === null) return;
    if (step.kind !== "await") await take(step, { ...taking, ...situation });
    else if (situation.service.isOpen || leftMs <= 0) return;
    else await member.life.sleep(POLL_MS, signal);
  }
}

/** As SyncWatch: each second, while nothing else is under way. */
export function watchStandbys(
  steps: Steps,
  of: { member: ModelMember; isIdle: () => boolean; lookAgain: () => void },
): void {
  const { member, isIdle, lookAgain } = of;
  const pass = async (): Promise<void> => {
    if (member.model.isWritable && isIdle() && (await needsToSynchronize(steps, member)))
      lookAgain();
    member.life.setTimer(LOOK_MS, () => void pass());
  };
  member.life.setTimer(LOOK_MS, () => void pass());
}

async function needsToSynchronize(steps: Steps, member: ModelMember): Promise<boolean> {
  const { record } = member.keeper;
  if (record === null || !member.keeper.holdsLease || isSyncOff(record)) return false;
  if (!member.sync.isSettled || !member.sync.isOpen) return true;
  const situation = await look(member, record);
  const step = situation === null ? null : steps.nextServiceStep(situation);
  return step !== null && step.kind !== "await";
}

async function look(member: ModelMember, record: ClusterRecord): Promise<Situation | null> {
  const { sync, disk } = member;
  const { service } = disk;
  sync.begin({ term: record.term, timeline: record.leader?.timeline ?? null });
  sync.isOpen = service.isOpen;
  if (isSyncOff(record) && service.isOpen && isSameQuorum(service.waitsFor, NOBODY)) return null;
  const { guarantee } = record.sync;
  const streams = await seeStandbys(member, record);
  const wanted = wantedQuorum({
    policy: record.sync,
    inForce: guarantee?.required ?? 0,
    waitsFor: service.isOpen ? service.waitsFor.required : 0,
    ...sync.standbys.view(member.clock.nowMs()),
  });
  const key = JSON.stringify([service, record.sync, wanted]);
  if (sync.mark?.key !== key)
    sync.mark = { key, lsn: toLsn(disk.data === null ? 0 : flushedEndOf(disk.data)) };
  const { lsn } = sync.mark;
  const confirmed = streams.filter(({ flushLsn }) => flushLsn !== null && flushLsn >= lsn);
  return {
    service,
    guarantee,
    wanted,
    binds: sync.binds,
    confirmed: confirmed.map(({ name }) => name),
  };
}

async function seeStandbys(
  member: ModelMember,
  record: ClusterRecord,
): Promise<readonly StandbyStream[]> {
  const { standbys } = member.sync;
  const eligible = Object.keys(record.members).filter((name) => mayConfirm(record, name));
  const wanted = Math.min(record.sync.guarantee?.required ?? 0, record.sync.required);
  const streams = readStreams(member);
  standbys.see(streams, { eligible, wanted, nowMs: member.clock.nowMs() });
  const asked = standbys.unvouched.map((name) => vouchFor(member, { record, name }));
  if (asked.length > 0) {
    await Promise.all(asked);
    standbys.see(streams, { eligible, wanted, nowMs: member.clock.nowMs() });
  }
  return standbys.streams;
}

function readStreams({ model, disk }: ModelMember): StandbyStream[] {
  const end = disk.data === null ? 0 : flushedEndOf(disk.data);
  return model.gate.senders.map(({ pid, standby, flushLsn, list }) => ({
    name: standby,
    pid,
    flushLsn: flushLsn === null ? null : toLsn(flushLsn),
    lagBytes: flushLsn === null ? null : end - flushLsn,
    priority: list.required > 0 && list.members.includes(standby) ? 1 : 0,
    ownsSlot: true,
  }));
}

/** As vouchFor. */
async function vouchFor(
  member: ModelMember,
  { record, name }: { record: ClusterRecord; name: string },
): Promise<void> {
  const term = await member.around
    .askAgent(member, {
      to: name,
      limitMs: ANSWER_LIMIT_MS,
      answer: (other) => termOfTimeline(reachedTimeline(other), other.memory.forks),
    })
    .catch(() => null);
  if (term === record.term) member.sync.standbys.vouch(name, member.clock.nowMs());
}

async function take(step: Exclude<ServiceStep, { kind: "await" }>, of: Taking): Promise<void> {
  const { steps, member, service, signal } = of;
  const { sync } = member;
  switch (step.kind) {
    case "setting":
      sync.isSettled = false;
      if (step.quorum.required === 0) sync.binds = false;
      await changeService(steps, {
        member,
        signal,
        service: { ...service, waitsFor: step.quorum },
      });
      return sync.settled();
    case "see-a-commit-wait":
      await steps.seeACommitWait({ member, signal, service });
      return sync.bound();
    case "checkpoint":
      await steps.checkpoint(member, signal);
      return sync.bound();
    case "record":
      return promise(step.guarantee, of);
    case "open": {
      const wasClosed = isSameQuorum(service.waitsFor, CLOSED);
      writeService({ member, signal, service: { waitsFor: step.quorum, isOpen: true } });
      sync.isSettled = wasClosed;
      if (step.quorum.required === 0) sync.binds = false;
      sync.isOpen = true;
      return member.event({ event: "opened", message: "" });
    }
  }
}

async function promise(next: Guarantee | null, of: Taking): Promise<void> {
  const { member, record } = of;
  const holder = { member: member.name, term: record.term, before: record.sync, next };
  const changed = await member.keeper.change((current) => setGuarantee(current, holder));
  if (changed !== null) member.log.write({ event: "promises", message: describeQuorum(next) });
}
