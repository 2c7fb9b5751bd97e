// Watches a cluster come up, tells each step, and ends when the primary is writable and every
// standby streams, or when it is certain that this will not happen.
import { setTimeout as delay } from "node:timers/promises";
import type { ClusterMember, ClusterStatus } from "../core/cluster-status.ts";
import { isHeldBack, summarize, type MemberAnswer } from "../core/cluster-status.ts";
import { UnderstudyError } from "../core/errors.ts";
import { parseLsnOrNull, type Lsn } from "../core/lsn.ts";
import type { MemberStatus, Progress } from "../core/member-status.ts";
import { writableLeader } from "../agent/member.ts";
import { agentRuns } from "../agent/witness.ts";
import { lastLeader, type ClusterRecord } from "../core/record.ts";
import { promisesLess } from "../core/sync-status.ts";
import { lastWordsOf, type StartedAgent } from "./agents.ts";
import { readRecord, type LocalCluster } from "./cluster.ts";
import { askMembers, describeCluster } from "./read-status.ts";

export interface UpMember {
  readonly name: string;
  readonly role: "primary" | "standby";
  readonly host: string;
  readonly port: number;
}

/** What happened while a cluster comes up. */
export type UpStep =
  | { readonly kind: "postgres-wanted"; readonly progress: Progress }
  | {
      readonly kind: "postgres-found";
      readonly version: string;
      readonly binDir: string;
      readonly reason: string | null;
    }
  | { readonly kind: "member-working"; readonly member: UpMember; readonly progress: Progress }
  | {
      readonly kind: "member-ready";
      readonly member: UpMember;
      readonly seconds: number | null;
      readonly lagBytes: number | null;
    }
  | { readonly kind: "member-failed"; readonly member: UpMember; readonly reason: string }
  | { readonly kind: "note"; readonly text: string };

interface Watch {
  /** Wait for this member alone. */
  readonly only?: string;
  readonly started: ReadonlyMap<string, StartedAgent>;
  /** By performance.now(); from when a member's seconds and the limit count. Default: now. */
  readonly begunMs?: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly onStep: (step: UpStep) => void;
}

/**
 * Looking costs all agents and servers processor time, which those need that come up; towards the
 * end nobody does.
 */
const POLL_MS = { onTheWay: 100, atTheEnd: 20 };
/** An agent tries again by itself; a failure that lasts this long is told as one. */
const FAILED_FOR_MS = 15_000;

export async function awaitStreaming(cluster: LocalCluster, watch: Watch): Promise<ClusterStatus> {
  const begun = watch.begunMs ?? performance.now();
  const ready = new Set<string>();
  const goals = new Map<string, Lsn>();
  const failedSince = new Map<string, number>();
  for (;;) {
    watch.signal.throwIfAborted();
    const record = await readRecord(cluster);
    const answers = await askMembers(cluster, {
      record,
      signal: watch.signal,
      withoutReasons: true,
    });
    const status = summarize({ record, statuses: answers, extraWarnings: [] });
    refuseLostPrimary(status, { record, hasWaited: performance.now() - begun > FAILED_FOR_MS });
    const watched = status.members.filter(
      ({ name, fenced }) => (watch.only ?? name) === name && !fenced,
    );
    for (const member of watched) {
      const answer = answers.get(member.name);
      await refuseDeadAgent(cluster, { member, watch });
      refuseLastingFailure(member, { failedSince, record, watch });
      const caughtUp = hasCaughtUp(member, { status, goals });
      const seconds = watch.started.has(member.name) ? (performance.now() - begun) / 1000 : null;
      report(member, { answer, ready, caughtUp, seconds, record, watch });
    }
    if (watched.every(({ name }) => ready.has(name)) && isPromised(status, { record, watch }))
      return describeCluster(cluster, { record, statuses: answers });
    if (performance.now() - begun > watch.timeoutMs)
      throw new UnderstudyError(
        "TIMED_OUT",
        `${cluster.place.name} is not up after ${watch.timeoutMs / 1000} s: ${stateOf(status)}`,
      );
    const isOnTheWay = writableLeader(record) === null || isCopying(watched);
    await delay(isOnTheWay ? POLL_MS.onTheWay : POLL_MS.atTheEnd);
  }
}

/** Synchronous replication is in force as it is wanted, where it can be. */
function isPromised(
  { members, primary }: ClusterStatus,
  of: { record: ClusterRecord; watch: Watch },
): boolean {
  const { record, watch } = of;
  if (watch.only !== undefined || !promisesLess(record)) return true;
  const standbys = members.filter(({ name, fenced }) => name !== primary && !fenced);
  return standbys.length < record.sync.required;
}

/** A clone ends with the start of its server, which takes no longer than one on older data. */
function isCopying(members: readonly ClusterMember[]): boolean {
  return members.some(
    ({ state, progress }) =>
      state === "unreachable" || (state === "cloning" && progress?.step !== "starting"),
  );
}

function report(
  member: ClusterMember,
  seen: {
    answer: MemberAnswer | undefined;
    ready: Set<string>;
    caughtUp: boolean;
    seconds: number | null;
    record: ClusterRecord;
    watch: Watch;
  },
): void {
  const { answer, ready, caughtUp, seconds, record, watch } = seen;
  const { generation } = record;
  const { name, host, port } = member;
  if (ready.has(name) || answer === undefined || "unreachable" in answer) return;
  if (isReady(member, { answer, generation }) && caughtUp) {
    ready.add(name);
    const role = member.role === "primary" ? "primary" : "standby";
    const named = { name, role, host, port } as const;
    watch.onStep({ kind: "member-ready", member: named, seconds, lagBytes: member.replayLagBytes });
  } else
    watch.onStep({
      kind: "member-working",
      member: { name, role: partOf(member, record), host, port },
      progress: answer.progress ?? {
        step: member.state,
        bytesDone: null,
        bytesTotal: null,
        remainingSeconds: null,
      },
    });
}

/**
 * A primary is when it has been through its first whole pass: only then do the applications' role
 * and database exist.
 */
function isReady(
  member: ClusterMember,
  seen: { answer: MemberStatus; generation: number },
): boolean {
  if (member.role !== "primary") return member.state === "streaming" || isHeldBack(member);
  const { progress, generation } = seen.answer;
  return (
    member.state === "running" &&
    progress === null &&
    generation !== null &&
    generation >= seen.generation
  );
}

/**
 * A standby has come up when it has replayed what the primary had written at the moment when it was
 * first seen streaming; how far ahead a busy primary is by then does not matter.
 */
function hasCaughtUp(
  member: ClusterMember,
  of: { status: ClusterStatus; goals: Map<string, Lsn> },
): boolean {
  // What holds back what it has received is not behind by that.
  if (isHeldBack(member)) return true;
  if (member.state !== "streaming") return member.role === "primary";
  const primary = of.status.members.find(({ name }) => name === of.status.primary);
  const goal = of.goals.get(member.name) ?? parseLsnOrNull(primary?.writeLsn);
  const replayed = parseLsnOrNull(member.delayMs === null ? member.replayLsn : member.flushLsn);
  if (goal === null || replayed === null) return false;
  of.goals.set(member.name, goal);
  return replayed >= goal;
}

/** The one that has the lease, or is named to, is the primary that is coming up. */
function partOf(member: ClusterMember, { leader, heir }: ClusterRecord): "primary" | "standby" {
  const named = leader?.member ?? heir;
  return member.role === "primary" || member.name === named ? "primary" : "standby";
}

/**
 * An agent that was started now and has ended will not come back by itself. Where another has its
 * lock, that one is the member's: an `up` that was killed had just started it, and nobody saw it.
 */
async function refuseDeadAgent(
  cluster: LocalCluster,
  of: { member: ClusterMember; watch: Watch },
): Promise<void> {
  const { name } = of.member;
  const ended = of.watch.started.get(name)?.ended() ?? null;
  if (ended === null || agentRuns(cluster.paths.root, name)) return;
  const words = await lastWordsOf(cluster.paths.root, name);
  throw new UnderstudyError(
    "AGENT_FAILED",
    `the agent of ${name} ${ended}${words === "" ? "" : `: ${words}`}`,
  );
}

/**
 * The member that everybody waits for has no data, so nobody will lead without a person's word.
 * Said as soon as a standby is up that can take its part.
 */
function refuseLostPrimary(
  status: ClusterStatus,
  of: { record: ClusterRecord; hasWaited: boolean },
): void {
  const { record, hasWaited } = of;
  const lost = status.members.find(({ name }) => name === lastLeader(record));
  if (record.systemId === null || record.leader !== null || lost?.state !== "failed") return;
  // One that has its data and does not start is told of as any other member.
  if (record.electing && /did not start/.test(lost.reason ?? "")) return;
  if (!hasWaited && !status.members.some(({ role }) => role === "standby")) return;
  throw new UnderstudyError(
    "DATA_MISSING",
    `${lost.name} cannot lead: ${lost.reason ?? "it does not say why"}`,
  );
}

function refuseLastingFailure(
  member: ClusterMember,
  of: { failedSince: Map<string, number>; record: ClusterRecord; watch: Watch },
): void {
  if (member.state !== "failed") {
    of.failedSince.delete(member.name);
    return;
  }
  const since = of.failedSince.get(member.name) ?? performance.now();
  of.failedSince.set(member.name, since);
  const reason = member.reason ?? "it did not say why";
  // What initdb refuses once it refuses again.
  const isFinal = of.record.systemId === null && /initdb ended with status/.test(reason);
  if (!isFinal && performance.now() - since < FAILED_FOR_MS) return;
  const { name, host, port } = member;
  const role = partOf(member, of.record);
  of.watch.onStep({ kind: "member-failed", member: { name, role, host, port }, reason });
  throw new UnderstudyError("START_FAILED", `${name} does not come up: ${reason}`, {
    hint: `See its log: understudy logs ${name}`,
  });
}

function stateOf(status: ClusterStatus): string {
  return status.members.map(({ name, state }) => `${name} is ${state}`).join(", ");
}
