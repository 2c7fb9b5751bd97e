// Gives a modelled primary other settings for its commits and its clients: the same order of steps
// as in src/agent/effects/service.ts, the barrier included.
import { UnderstudyError } from "../../../src/core/errors.ts";
import { CLOSED, isSameQuorum, type Quorum } from "../../../src/core/protocol/quorum.ts";
import { firstService, type Service } from "../../../src/core/protocol/service.ts";
import type { ClusterRecord } from "../../../src/core/record.ts";
import type { ModelMember } from "./member.ts";
import type { Steps } from "./steps.ts";

const BARRIER_LIMIT_MS = 10_000;
const POLL_MS = 10;

export interface ServiceChange {
  readonly member: ModelMember;
  readonly service: Service;
  readonly signal: AbortSignal;
}

/** The settings files. @throws UnderstudyError DISK_FULL. */
export function writeSettings({ name, disk }: ModelMember, service: Service): void {
  if (isSameService(disk.service, service)) return;
  if (disk.isFull) throw new UnderstudyError("DISK_FULL", `${name} cannot write its settings`);
  disk.service = service;
}

function isSameService(one: Service, other: Service): boolean {
  return one.isOpen === other.isOpen && isSameQuorum(one.waitsFor, other.waitsFor);
}

/** As changeService. */
export async function changeService(steps: Steps, change: ServiceChange): Promise<void> {
  const before = change.member.disk.service.waitsFor;
  writeService(change);
  await steps.awaitBarrier({ ...change, before });
}

/** As settleService. */
export async function settleService(steps: Steps, change: ServiceChange): Promise<void> {
  writeService(change);
  await steps.awaitBarrier({ ...change, before: null });
}

export function writeService({ member, service }: ServiceChange): void {
  writeSettings(member, service);
  member.model.reload();
}

/** As awaitShown and awaitWalSenders. */
export async function awaitBarrier(of: ServiceChange & { before: Quorum | null }): Promise<void> {
  const { member, before, service, signal } = of;
  const { gate } = member.model;
  const after = service.waitsFor;
  await awaitShown(of);
  await until(member, signal, () =>
    gate.senders.every(
      ({ standby, list }) => !list.members.includes(standby) || after.members.includes(standby),
    ),
  );
  const hasRisen = before === null || (before.required > 0 && before.required < after.required);
  const wasMet = before === null || !isSameQuorum(before, CLOSED);
  if (after.required > 1 && hasRisen && wasMet)
    for (const sender of gate.senders) gate.terminate(sender);
}

async function awaitShown({ member, service, signal }: ServiceChange): Promise<void> {
  await until(
    member,
    signal,
    () => connects(member) && isSameQuorum(member.model.gate.service.waitsFor, service.waitsFor),
  );
}

/** As seeACommitWait: who was let in before is cut off. */
export async function seeACommitWait(change: ServiceChange): Promise<void> {
  const { member, signal } = change;
  const { model } = member;
  await awaitShown(change);
  model.gate.cutApplications();
  const { life } = model;
  await until(member, signal, () => connects(member) && model.gate.binds && model.life === life);
}

/** @throws UnderstudyError CONNECTION_FAILED where it does not end. */
export async function makeCheckpoint(member: ModelMember, signal: AbortSignal): Promise<void> {
  const { model, life, random } = member;
  const { life: served } = model;
  await life.sleep(random.between(5, 300), signal);
  if (!connects(member) || model.life !== served)
    throw new UnderstudyError("CONNECTION_FAILED", `${member.name} made no checkpoint`);
  model.gate.checkpointerReads();
}

/** As closeDoor in src/agent/effects/promote.ts. */
export async function closeDoor(
  member: ModelMember,
  record: ClusterRecord,
  signal: AbortSignal,
): Promise<void> {
  const { guarantee } = record.sync;
  if (guarantee === null) return;
  member.sync.isOpen = false;
  const change = { member, signal, service: firstService(guarantee) };
  writeService(change);
  const { model } = member;
  if (model.state !== "accepting" || model.closed) return;
  await awaitShown(change);
  model.gate.cutApplications();
}

function connects({ model }: ModelMember): boolean {
  return model.takesConnections;
}

async function until(
  { life, name }: ModelMember,
  signal: AbortSignal,
  isSo: () => boolean,
): Promise<void> {
  for (let waitedMs = 0; !isSo(); waitedMs += POLL_MS) {
    if (waitedMs > BARRIER_LIMIT_MS)
      throw new UnderstudyError("TIMED_OUT", `a part of PostgreSQL of ${name} did not get there`);
    await life.sleep(POLL_MS, signal);
  }
}
