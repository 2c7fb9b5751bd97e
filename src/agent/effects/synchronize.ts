// Keeps synchronous replication as a person wants it: takes the one next step of the protocol
// (src/core/protocol/service.ts) again and again, each proven before the next.
import { setTimeout as delay } from "node:timers/promises";
import { parseLsn, type Lsn } from "../../core/lsn.ts";
import {
  CLOSED,
  NOBODY,
  describeQuorum,
  isSameQuorum,
  type Guarantee,
} from "../../core/protocol/quorum.ts";
import { nextServiceStep, type Service, type ServiceStep } from "../../core/protocol/service.ts";
import { isSyncOff, mayConfirm, wantedQuorum } from "../../core/protocol/sync-set.ts";
import type { ClusterRecord } from "../../core/record.ts";
import { setGuarantee } from "../../core/record-changes.ts";
import { trustOf, type Member } from "../member.ts";
import { askReach } from "../peer.ts";
import { readStreams, type StandbyStream } from "../sync/standbys.ts";
import { describeWriteGap } from "../write-gap.ts";
import type { EffectContext } from "./effect.ts";
import {
  changeService,
  checkpoint,
  seeACommitWait,
  settleService,
  writeService,
} from "./service.ts";
import { serviceOnDisk } from "./settings.ts";

/** So long one pass waits while applications are kept out; the next one goes on. */
const PASS_LIMIT_MS = 2_000;
const POLL_MS = 10;
const ANSWER_LIMIT_MS = 500;

type Context = Pick<EffectContext, "member" | "signal">;

/**
 * Of a primary that was announced. Returns when all is as it is wanted, or cannot be yet.
 * @param of.waits whether to wait a while for those that must confirm before it serves
 */
export async function synchronize(
  { member, signal }: Context,
  of: { waits: boolean },
): Promise<void> {
  const deadline = performance.now() + (of.waits ? PASS_LIMIT_MS : 0);
  for (;;) {
    signal.throwIfAborted();
    // A promise may have been written without this agent having been told.
    if (!member.keeper.isCertain) await member.keeper.renew();
    const { record } = member.keeper;
    if (record === null || !member.keeper.holdsLease || !member.keeper.isCertain) return;
    const situation = await look({ member, record });
    if (situation?.service.isOpen === true && !member.sync.isSettled) {
      await settle({ member, record, signal, ...situation });
      continue;
    }
    const step = situation === null ? null : nextServiceStep(situation);
    member.sync.awaits = step?.kind === "await" ? step.quorum : null;
    if (situation === null || step === null) return;
    if (step.kind !== "await") await take(step, { member, record, signal, ...situation });
    else if (situation.service.isOpen || performance.now() > deadline) return;
    else await delay(POLL_MS);
  }
}

/**
 * Whether there is anything to do, from what is seen without changing anything: asked each second.
 */
export async function needsToSynchronize(member: Member): Promise<boolean> {
  const { record } = member.keeper;
  if (record === null || !member.keeper.holdsLease || isSyncOff(record)) return false;
  const { sync } = member;
  if (!sync.isSettled || !sync.isOpen) return true;
  const situation = await look({ member, record });
  if (situation === null) return false;
  const step = nextServiceStep(situation);
  member.sync.awaits = step?.kind === "await" ? step.quorum : null;
  return step !== null && step.kind !== "await";
}

interface Situation {
  readonly service: Service;
  readonly guarantee: Guarantee | null;
  readonly wanted: ReturnType<typeof wantedQuorum>;
  readonly binds: boolean;
  readonly confirmed: readonly string[];
}

/** Null where synchronous replication is off and nothing is left of it. */
async function look(of: { member: Member; record: ClusterRecord }): Promise<Situation | null> {
  const { member, record } = of;
  const { sync } = member;
  const service = await serviceOnDisk(member);
  sync.begin({ term: record.term, timeline: record.leader?.timeline ?? null });
  sync.isOpen = service.isOpen;
  if (isSyncOff(record) && service.isOpen && isSameQuorum(service.waitsFor, NOBODY)) return null;
  const { guarantee } = record.sync;
  const streams = await seeStandbys(of);
  const nowMs = member.clock.nowMs();
  const wanted = wantedQuorum({
    policy: record.sync,
    inForce: guarantee?.required ?? 0,
    waitsFor: service.isOpen ? service.waitsFor.required : 0,
    ...sync.standbys.view(nowMs),
  });
  const lsn = await markOf(member, JSON.stringify([service, record.sync, wanted]));
  const confirmed = streams.filter(({ flushLsn }) => flushLsn !== null && flushLsn >= lsn);
  return {
    service,
    guarantee,
    wanted,
    binds: sync.binds,
    confirmed: confirmed.map(({ name }) => name),
  };
}

/** Where all WAL is to be confirmed up to: set once for each thing that is to be proven. */
async function markOf({ sync, positions }: Member, key: string): Promise<Lsn> {
  if (sync.mark?.key === key) return sync.mark.lsn;
  // Whatever was acknowledged is flushed here.
  const lsn = parseLsn((await positions.read()).flushLsn ?? "0/0");
  sync.mark = { key, lsn };
  return lsn;
}

async function seeStandbys(of: {
  member: Member;
  record: ClusterRecord;
}): Promise<readonly StandbyStream[]> {
  const { member, record } = of;
  const { standbys } = member.sync;
  const eligible = Object.keys(record.members).filter((name) => mayConfirm(record, name));
  const wanted = Math.min(record.sync.guarantee?.required ?? 0, record.sync.required);
  const streams = await readStreams(member.session);
  await endImpostors(member, { streams, record });
  const seen = { eligible, wanted, nowMs: member.clock.nowMs() };
  standbys.see(streams, seen);
  const asked = standbys.unvouched.map((name) => vouchFor(of, name));
  if (asked.length > 0) {
    await Promise.all(asked);
    standbys.see(streams, { ...seen, nowMs: member.clock.nowMs() });
  }
  return standbys.streams;
}

async function vouchFor(
  { member, record }: { member: Member; record: ClusterRecord },
  name: string,
): Promise<void> {
  const address = record.members[name];
  if (address === undefined) return;
  const asking = { trust: trustOf(member, name), timeoutMs: ANSWER_LIMIT_MS };
  const reach = await askReach(address, asking).catch(() => null);
  if (reach?.cluster !== member.cluster || reach.name !== name) return;
  if (reach.timelineTerm === record.term) member.sync.standbys.vouch(name, member.clock.nowMs());
}

/**
 * PostgreSQL knows standbys by a name that anybody can give (lesson 18). The member itself streams
 * through its slot, which is held by one walsender at a time.
 */
async function endImpostors(
  member: Member,
  of: { streams: readonly StandbyStream[]; record: ClusterRecord },
): Promise<void> {
  const impostors = of.streams.filter(
    ({ name, ownsSlot, priority }) => !ownsSlot && priority > 0 && name in of.record.members,
  );
  for (const { name, pid } of impostors) {
    await member.session.query("SELECT pg_terminate_backend($1)", [pid]);
    member.event({
      event: "impostor-ended",
      level: "warning",
      message: `Something that is not ${name} streamed from ${member.name} under the name ${name}, and commits would have counted on it; its connection was ended.`,
      details: { pid },
    });
  }
}

interface Taking extends Situation {
  readonly member: Member;
  readonly record: ClusterRecord;
  readonly signal: AbortSignal;
}

async function take(step: Exclude<ServiceStep, { kind: "await" }>, of: Taking): Promise<void> {
  const { member, service } = of;
  const { sync } = member;
  switch (step.kind) {
    case "setting":
      sync.isSettled = false;
      if (step.quorum.required === 0) sync.binds = false;
      await changeService({ ...of, service: { ...service, waitsFor: step.quorum } });
      return sync.settled();
    case "see-a-commit-wait":
      await seeACommitWait(of);
      return sync.bound();
    case "checkpoint":
      await checkpoint(member);
      return sync.bound();
    case "record":
      return promise(step.guarantee, of);
    case "open": {
      const wasClosed = isSameQuorum(service.waitsFor, CLOSED);
      await writeService({ ...of, service: { waitsFor: step.quorum, isOpen: true } });
      sync.isSettled = wasClosed;
      if (step.quorum.required === 0) sync.binds = false;
      sync.isOpen = true;
      const gap = describeWriteGap(member.leaderWatch.endWriteGap(of.record));
      const { secondsWithoutPrimary } = gap;
      member.event({
        event: "opened",
        message: `${member.name} takes applications: ${describeReady(of)}${gap.clause}.`,
        details: { term: of.record.term, secondsWithoutPrimary },
      });
    }
  }
}

/** An agent that died may have written what its server has not read, or not wholly. */
async function settle(of: Taking): Promise<void> {
  await settleService(of);
  of.member.sync.settled();
}

async function promise(next: Guarantee | null, of: Taking): Promise<void> {
  const { member, record } = of;
  const holder = { member: member.name, term: record.term, before: record.sync, next };
  const changed = await member.keeper.change((current) => setGuarantee(current, holder));
  if (changed === null) return;
  const before = of.guarantee;
  const isWeaker = next === null || (before !== null && next.required < before.required);
  const isLess =
    isWeaker && record.sync.mode === "on" && record.sync.required > (next?.required ?? 0);
  member.event({
    event: next === null ? "sync-ended" : isWeaker ? "sync-lowered" : "sync-promised",
    level: isLess ? "warning" : "info",
    message: describePromise(next, { wanted: record.sync.required, isLess }),
    details: { term: record.term, before, after: next, streams: of.confirmed },
  });
}

function describePromise(next: Guarantee | null, of: { wanted: number; isLess: boolean }): string {
  const now =
    next === null
      ? "Commits are acknowledged without waiting for a standby"
      : `Every acknowledged commit is on ${describeQuorum(next)}`;
  return of.isLess
    ? `${now}: fewer standbys stream than the ${of.wanted} that are wanted.`
    : `${now}.`;
}

function describeReady({ guarantee, confirmed }: Taking): string {
  return guarantee === null
    ? "no standby is waited for"
    : `${confirmed.join(", ")} ${confirmed.length === 1 ? "has" : "have"} all that it has`;
}
