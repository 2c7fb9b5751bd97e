// Fencing a member: its server is stopped and stays so, through restarts of agents and machines,
// until it is unfenced. A primary hands its part over first; --now stops it at once.
import { setTimeout as delay } from "node:timers/promises";
import { memberPaths } from "../agent/member-paths.ts";
import { UnderstudyError } from "../core/errors.ts";
import { fenceMember, isFenced, unfenceMember } from "../core/record-changes.ts";
import type { ClusterRecord } from "../core/record.ts";
import { findServerProcesses } from "../postgres/processes.ts";
import { isWithoutAgent, stopServerWithoutAgent } from "./agents.ts";
import {
  changeClusterRecord,
  lockCluster,
  readRecord,
  recordMember,
  type LocalCluster,
  type Operation,
  type Outcome,
  type Plan,
} from "./cluster.ts";
import { noteDecision } from "./decisions.ts";
import { planSwitchover, switchoverUnderLock } from "./switchover.ts";
import { isSettled, waitFor } from "./wait-for.ts";

export interface FenceRequest {
  readonly member: string;
  /** A primary does not hand over first. */
  readonly now: boolean;
}

export interface FencePlan extends Plan {
  /** Writers are interrupted: it leads, or is named to. */
  readonly isLeader: boolean;
}

const POLL_MS = 20;

/** @throws UnderstudyError MEMBER_NOT_FOUND, and what a switchover may be refused with. */
export async function planFence(cluster: LocalCluster, request: FenceRequest): Promise<FencePlan> {
  const { member: name, now } = request;
  const record = await readRecord(cluster);
  recordMember(record, name);
  const isLeader = leads(record, name);
  const handOver = isLeader && !now && record.leader !== null ? await planHandOver(cluster) : null;
  return {
    isLeader,
    summary: isFenced(record, name)
      ? `${name} is fenced already`
      : `PostgreSQL of ${name} is to be stopped, and to stay so until: understudy unfence ${name}`,
    steps: [
      ...(handOver?.steps ?? []),
      `stop PostgreSQL of ${name}, by force where it does not stop`,
      ...(isLeader && handOver === null ? [afterwards(record, name)] : []),
    ],
    facts: { member: name, leads: isLeader, successor: handOver?.facts["to"] ?? null },
  };
}

/** @throws UnderstudyError SWITCHOVER_REFUSED, with what to do instead. */
async function planHandOver(cluster: LocalCluster): Promise<Plan> {
  try {
    return await planSwitchover(cluster, { to: null });
  } catch (thrown) {
    throw orNow(thrown);
  }
}

/**
 * @throws UnderstudyError MEMBER_NOT_FOUND; SWITCHOVER_REFUSED, SWITCHOVER_FAILED where a primary
 * cannot hand over (nothing is fenced then); TIMED_OUT.
 */
export async function fence(
  cluster: LocalCluster,
  request: FenceRequest,
  operation: Operation,
): Promise<Outcome> {
  using _lock = lockCluster(cluster);
  const { member: name, now } = request;
  const record = await readRecord(cluster);
  recordMember(record, name);
  if (isFenced(record, name)) return outcomeOf(name, { fenced: true, changed: false });
  const led = leads(record, name);
  if (led && !now && record.leader !== null)
    await switchoverUnderLock(cluster, { to: null }, operation).catch((thrown: unknown) => {
      throw orNow(thrown);
    });
  if ((await changeClusterRecord(cluster, (current) => fenceMember(current, name))) === null)
    return outcomeOf(name, { fenced: true, changed: false });
  operation.onStep(`${name} is fenced in the record`);
  const how = now ? ", at once" : led ? ", after it had handed over" : "";
  const note = await noteDecision(cluster, {
    event: "fenced",
    what: `fenced ${name}${how}: its PostgreSQL stays stopped until it is unfenced`,
    details: { member: name, leads: led, now, from: { fenced: false }, to: { fenced: true } },
  });
  if (operation.wait) await awaitStopped(cluster, { name, operation });
  const { summary, facts } = outcomeOf(name, { fenced: true, changed: true });
  return { summary: `${summary}${note}`, facts };
}

/** @throws UnderstudyError MEMBER_NOT_FOUND, TIMED_OUT. */
export async function unfence(
  cluster: LocalCluster,
  request: { member: string },
  operation: Operation,
): Promise<Outcome> {
  using _lock = lockCluster(cluster);
  const { member: name } = request;
  recordMember(await readRecord(cluster), name);
  const changed = await changeClusterRecord(cluster, (current) => unfenceMember(current, name));
  if (changed === null) return outcomeOf(name, { fenced: false, changed: false });
  operation.onStep(`${name} is unfenced in the record`);
  const note = await noteDecision(cluster, {
    event: "unfenced",
    what: `unfenced ${name}: its PostgreSQL may run again`,
    details: { member: name, from: { fenced: true }, to: { fenced: false } },
  });
  const comesBack = operation.wait && !(await isWithoutAgent(cluster.paths.root, name));
  if (comesBack)
    await waitFor(cluster, {
      what: `${name} as a member that streams`,
      isSo: (status) => isSettled(status, name),
      operation,
    });
  const { summary, facts } = outcomeOf(name, { fenced: false, changed: true });
  return { summary: `${summary}${comesBack ? " and is back" : ""}${note}`, facts };
}

function outcomeOf(name: string, is: { fenced: boolean; changed: boolean }): Outcome {
  const { fenced, changed } = is;
  const already = changed ? "" : " already";
  return {
    summary: fenced
      ? `${name} is fenced${already}: its PostgreSQL stays stopped until: understudy unfence ${name}`
      : `${name} is not fenced${changed ? " any more" : ""}`,
    facts: { member: name, fenced, changed },
  };
}

/** Its agent stops the server; where no agent runs, this does. */
async function awaitStopped(
  cluster: LocalCluster,
  of: { name: string; operation: Operation },
): Promise<void> {
  const { name, operation } = of;
  const { root } = cluster.paths;
  const deadline = performance.now() + operation.timeoutMs;
  for (;;) {
    operation.signal.throwIfAborted();
    const hasAgent = !(await isWithoutAgent(root, name));
    if (!hasAgent) await stopServerWithoutAgent(cluster, { name, operation });
    const isDown = findServerProcesses(memberPaths(root, name).data).length === 0;
    // An agent that lives frees the lease as well; that of a dead one is freed by a standby.
    const isDone = isDown && !(hasAgent && leads(await readRecord(cluster), name));
    if (isDone) return operation.onStep(`PostgreSQL of ${name} is stopped`);
    if (performance.now() > deadline)
      throw new UnderstudyError(
        "TIMED_OUT",
        `${name} is fenced, but its PostgreSQL has not stopped within ${operation.timeoutMs / 1000} s`,
      );
    await delay(POLL_MS);
  }
}

function leads(record: ClusterRecord, name: string): boolean {
  return (record.leader?.member ?? record.heir) === name;
}

function afterwards(record: ClusterRecord, name: string): string {
  const isAlone = Object.keys(record.members).every(
    (each) => each === name || isFenced(record, each),
  );
  if (isAlone) return "nobody can take its part: writes fail until it is unfenced";
  if (record.paused) return "the cluster is paused: nobody takes its part by itself, writes fail";
  return "the best standby takes its part, with all that its disk has";
}

function orNow(thrown: unknown): unknown {
  if (!(thrown instanceof UnderstudyError) || thrown.code === "TIMED_OUT") return thrown;
  return new UnderstudyError(thrown.code, thrown.message, {
    cause: thrown,
    hint: "To stop the primary at once, whoever can take its part: understudy fence MEMBER --now",
  });
}
