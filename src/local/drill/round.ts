// One round of a drill: clients at work, one fault, and what the clients and the members made of
// it.
import { setTimeout as delay } from "node:timers/promises";
import { UnderstudyError } from "../../core/errors.ts";
import type { ClusterRecord } from "../../core/record.ts";
import type { AgentProgram } from "../agents.ts";
import { readRecord, type LocalCluster } from "../cluster.ts";
import { askMembers } from "../read-status.ts";
import { ClusterWatch } from "./cluster-watch.ts";
import type { Fault, Target } from "./fault.ts";
import { Load } from "./load.ts";
import type { DrillRound, DrillSeries } from "./report.ts";
import { tellRound, type Course } from "./tell-round.ts";

export interface RoundOptions {
  /** From 1. */
  readonly round: number;
  readonly fault: Fault;
  readonly program: AgentProgram;
  /** How long a cluster may take until it is whole again, from the fault's end on. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly onStep: (text: string) => void;
}

/** Rows after the cluster is whole again, so that the picture has an end. */
const ROWS_AFTER = 50;
const ROWS_LIMIT_MS = 10_000;
/** A successor that has not come by then does not come by itself. */
const TAKEOVER_LIMIT_MS = 60_000;
const POLL_MS = 5;
/**
 * A cluster that is whole is looked at once more after this: it may have been for a moment only.
 */
const STEADY_MS = 300;

/**
 * The cluster must be healthy. Whatever happens, the fault is undone when this returns or throws.
 * @throws UnderstudyError of what keeps the fault from happening; the signal's reason.
 */
export async function runRound(
  cluster: LocalCluster,
  options: RoundOptions,
): Promise<{ round: DrillRound; series: DrillSeries }> {
  const { fault, signal } = options;
  const record = await readRecord(cluster);
  const target = await chooseTarget(cluster, { ...options, record });
  await using watch = await ClusterWatch.begin(cluster, record);
  await using load = new Load({
    members: record.members,
    primary: target.member,
    password: cluster.secrets.application,
    firstWriter: options.round * WRITERS_PER_ROUND,
  });
  await load.warmUp(signal);
  const course = await takeCourse({ target, watch, load, options });
  await load.hasWritten(ROWS_AFTER, AbortSignal.any([signal, AbortSignal.timeout(ROWS_LIMIT_MS)]));
  const endMs = performance.now();
  await load[Symbol.asyncDispose]();
  signal.throwIfAborted();
  const { round } = options;
  return tellRound({ cluster, target, watch, load, fault, round, course, endMs, before: record });
}

/** One application, and one holdout for each of at most 17 members. */
const WRITERS_PER_ROUND = 100;

async function chooseTarget(
  cluster: LocalCluster,
  of: RoundOptions & { record: ClusterRecord },
): Promise<Target> {
  const { record, program, signal } = of;
  const answers = await askMembers(cluster, { record, signal });
  const leader = record.leader?.member ?? "";
  const primary = answers.get(leader);
  const standbys = [...answers].flatMap(([name, answer]) => {
    if (name === leader || "unreachable" in answer || answer.state !== "streaming") return [];
    return record.members[name]?.tags.nofailover === true ? [] : [name];
  });
  const [successor] = standbys;
  if (primary === undefined || "unreachable" in primary || successor === undefined)
    throw new UnderstudyError("REFUSED", `${cluster.place.name} is not healthy any more`);
  return { cluster, member: leader, successor, program, signal };
}

/** The fault, its end, and the way back. */
async function takeCourse(of: {
  target: Target;
  watch: ClusterWatch;
  load: Load;
  options: RoundOptions;
}): Promise<Course> {
  const { target, watch, load, options } = of;
  const { fault, signal, timeoutMs, onStep } = options;
  const { term } = watch.record;
  const [faultMs, faultWallMs] = [performance.now(), Date.now()];
  let undoneMs: number | null = null;
  onStep(fault.describe(target.member));
  const rejoining = new AbortController();
  let rejoined: Promise<number | null> = Promise.resolve(null);
  const begin = () => {
    rejoined = untilRejoined(watch, { member: target.member, term, limit: rejoining.signal });
  };
  try {
    {
      await using undoing = new AsyncDisposableStack();
      await fault.inflict(target, undoing);
      if (fault.comesBackAfter === "fault") begin();
      if (fault.lastsMs !== null) await delay(fault.lastsMs, undefined, { signal });
      else await untilTakenOver({ watch, load, term, signal });
      if (fault.describeUndo !== null) {
        undoneMs = performance.now();
        onStep(fault.describeUndo(target.member));
      }
    }
    if (fault.comesBackAfter === "undoing") begin();
    const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    const cameBack = await untilWhole(watch, limit);
    signal.throwIfAborted();
    rejoining.abort();
    return { faultMs, faultWallMs, undoneMs, rejoinedMs: await rejoined, cameBack };
  } finally {
    rejoining.abort();
    await rejoined.catch(() => null);
  }
}

/** Another term has a leader that takes writes, and the application has found it. */
async function untilTakenOver(of: {
  watch: ClusterWatch;
  load: Load;
  term: number;
  signal: AbortSignal;
}): Promise<void> {
  const { watch, load, term, signal } = of;
  const limit = AbortSignal.any([signal, AbortSignal.timeout(TAKEOVER_LIMIT_MS)]);
  while (!limit.aborted && !isLedAnew(watch, term)) await delay(POLL_MS);
  await load.hasWritten(ROWS_AFTER, limit);
  signal.throwIfAborted();
}

function isLedAnew(watch: ClusterWatch, term: number): boolean {
  const last = watch.records.at(-1);
  return last !== undefined && last.term > term && last.timeline !== null;
}

async function untilRejoined(
  watch: ClusterWatch,
  of: { member: string; term: number; limit: AbortSignal },
): Promise<number | null> {
  const { member, term, limit } = of;
  while (!limit.aborted && !isLedAnew(watch, term)) await delay(POLL_MS);
  const settledMs = await watch.untilSettled(member, limit);
  return watch.records.at(-1)?.leader === member ? null : settledMs;
}

/** Healthy, and still so a moment later. @returns false when the limit has come. */
async function untilWhole(watch: ClusterWatch, limit: AbortSignal): Promise<boolean> {
  while (!limit.aborted) {
    const { state, term } = await watch.status();
    await delay(state === "healthy" ? STEADY_MS : POLL_MS * 4);
    if (state !== "healthy") continue;
    const later = await watch.status();
    if (later.state === "healthy" && later.term === term) return true;
  }
  return false;
}
