// A failover by hand, when the primary is gone: the operating system proves that it is, the standby
// with the most WAL is named, and what may be lost is said in bytes before anything changes.
import { lossOnDisk } from "../agent/loss-on-disk.ts";
import { memberPaths } from "../agent/member-paths.ts";
import { agentRuns } from "../agent/witness.ts";
import type { MemberAnswer } from "../core/cluster-status.ts";
import { UnderstudyError } from "../core/errors.ts";
import { lsnDistance, parseLsn } from "../core/lsn.ts";
import { lastLeader, type ClusterRecord } from "../core/record.ts";
import { readControlData } from "../postgres/control-data.ts";
import { findServerProcesses, surveyServer } from "../postgres/processes.ts";
import { chooseCandidate, type Candidate } from "./candidates.ts";
import {
  lockCluster,
  readRecord,
  type LocalCluster,
  type Operation,
  type Outcome,
  type Plan,
} from "./cluster.ts";
import { askMembers } from "./read-status.ts";
import { revoke } from "./revocation.ts";
import { refuseSharedTablespaces } from "./shared-tablespaces.ts";
import { waitFor } from "./wait-for.ts";

export interface FailoverRequest {
  /** Null: the candidate that has the most WAL. */
  readonly to: string | null;
}

interface Loss {
  /** Null when nothing tells. */
  readonly lossBytes: number | null;
  /**
   * Whether it is exact: read from the dead primary's WAL, on a history that the candidate is
   * proven to share.
   */
  readonly isExact: boolean;
  /** Why it is not. */
  readonly doubt: string | null;
}

interface Decision extends Loss {
  readonly record: ClusterRecord;
  readonly from: string | null;
  readonly to: Candidate;
}

/** @throws UnderstudyError FAILOVER_REFUSED with the reason, MEMBER_NOT_FOUND. */
export async function planFailover(cluster: LocalCluster, request: FailoverRequest): Promise<Plan> {
  const decision = await decideFailover(cluster, request);
  const { from, to, lossBytes, record } = decision;
  return {
    summary: `${to.name} becomes the primary in place of ${from ?? "nobody"}; ${describeLoss(decision)}`,
    steps: [
      ...(from === null
        ? []
        : [`take the lease from ${from}, which can take no writes from then on`]),
      `give the lease of term ${record.term + 1} to ${to.name}, which is promoted`,
      "the other members follow it; the old primary is compared with it before it may rejoin",
    ],
    facts: { from, to: to.name, lossBytes, lossIsExact: decision.isExact },
  };
}

/** @throws UnderstudyError FAILOVER_REFUSED (nothing changed), OPERATION_IN_PROGRESS, TIMED_OUT. */
export async function failover(
  cluster: LocalCluster,
  request: FailoverRequest,
  operation: Operation,
): Promise<Outcome> {
  using _lock = lockCluster(cluster);
  const decision = await decideFailover(cluster, request);
  const { record, from, to } = decision;
  const revocation = await revoke(cluster, { record, operation });
  let loss: Loss = decision;
  try {
    // It may have come back and taken writes between the look at it and the revocation.
    loss = await estimateLoss(cluster, decision);
    refuseGreaterLoss(decision, loss);
    await revocation.appoint(to.name);
  } catch (thrown) {
    await revocation.undo();
    throw thrown;
  }
  operation.onStep(`${to.name} is named to take the lease of term ${record.term + 1}`);
  const outcome = {
    summary: `${to.name} is the primary now; ${describeLoss({ ...decision, ...loss })}`,
    facts: { from, to: to.name, lossBytes: loss.lossBytes, lossIsExact: loss.isExact },
  };
  if (!operation.wait) return outcome;
  await waitFor(cluster, {
    what: `the promotion of ${to.name}`,
    isSo: ({ primary }) => primary === to.name,
    operation,
  });
  return outcome;
}

async function decideFailover(cluster: LocalCluster, request: FailoverRequest): Promise<Decision> {
  const record = await readRecord(cluster);
  const answers = await askMembers(cluster, { record });
  await refuseWriters(cluster, answers);
  await refuseSharedTablespaces(cluster, { record, code: "FAILOVER_REFUSED" });
  const named = record.leader?.member ?? record.heir;
  if (named !== null) refuseReturning(cluster, { named, answers });
  const wanted = request.to;
  const to = await chooseCandidate(cluster, { record, from: named, wanted, answers });
  const from = lastLeader(record);
  return { record, from, to, ...(await estimateLoss(cluster, { record, from, to })) };
}

/** Whoever takes writes, or may, is a primary: also one that the record does not name any more. */
async function refuseWriters(
  cluster: LocalCluster,
  answers: ReadonlyMap<string, MemberAnswer>,
): Promise<void> {
  for (const [name, answer] of answers) {
    if (!("unreachable" in answer)) {
      if (answer.role !== "primary") continue;
      throw new UnderstudyError(
        "FAILOVER_REFUSED",
        `${name} is the primary and alive; nothing was changed`,
        { hint: "For a planned change: understudy switchover" },
      );
    }
    const { data } = memberPaths(cluster.paths.root, name);
    const [first] = findServerProcesses(data);
    if (first === undefined) continue;
    const control = await readControlData(data).catch(() => null);
    if (control === null || control.state === "in production")
      throw new UnderstudyError(
        "FAILOVER_REFUSED",
        `PostgreSQL of ${name} still runs (process ${first.pid}) and may take writes; nothing was changed`,
        { hint: "Bring its agent back: understudy up" },
      );
  }
}

/**
 * The one that leads, or is named to, must be unable to: a server without its agent may take
 * writes, and an agent brings its server back. One whose agent says that it failed cannot: what
 * runs of it is a standby, as every start is one, until the lease is taken from it.
 */
function refuseReturning(
  cluster: LocalCluster,
  of: { named: string; answers: ReadonlyMap<string, MemberAnswer> },
): void {
  const { named } = of;
  const { root } = cluster.paths;
  const { postmaster, processes } = surveyServer(memberPaths(root, named).data);
  const failed = hasFailed(of.answers.get(named));
  if (processes.length > 0 && !(failed && postmaster !== null))
    throw new UnderstudyError(
      "FAILOVER_REFUSED",
      `PostgreSQL of ${named} still runs (process ${processes[0]?.pid ?? "unknown"}) and may take writes; nothing was changed`,
      { hint: "Bring its agent back: understudy up" },
    );
  if (agentRuns(root, named) && !failed)
    throw new UnderstudyError(
      "FAILOVER_REFUSED",
      `the agent of ${named} is alive and is bringing its PostgreSQL back; nothing was changed`,
      { hint: "See how far it is: understudy status --watch" },
    );
}

/**
 * The agent lives, but says that it cannot lead: its data is gone, or its server does not start or
 * is not promoted.
 */
function hasFailed(answer: MemberAnswer | undefined): boolean {
  return answer !== undefined && !("unreachable" in answer) && answer.state === "failed";
}

async function estimateLoss(
  cluster: LocalCluster,
  of: { record: ClusterRecord; from: string | null; to: Candidate },
): Promise<Loss> {
  const { from, to, record } = of;
  if (from === null) return unknownLoss("nobody has led yet");
  if (from === to.name) return { lossBytes: 0, isExact: true, doubt: null };
  const { root } = cluster.paths;
  const dead = memberPaths(root, from);
  const { data: dataDir } = memberPaths(root, to.name);
  const lossBytes = await lossOnDisk(dead, { dataDir, ...to });
  if (lossBytes === "unreadable") return lossFromRenewals({ record, to });
  return lossBytes === null
    ? unknownLoss(`it is not proven that ${to.name} shares the history of ${from}`)
    : { lossBytes, isExact: true, doubt: null };
}

/** What the old primary had last said of itself, where its disk tells nothing. */
function lossFromRenewals({ record, to }: { record: ClusterRecord; to: Candidate }): Loss {
  const doubt = "the old primary's disk cannot be read";
  const { lsn, timeline } = record.leader ?? { lsn: null, timeline: null };
  if (lsn === null || timeline !== to.timeline) return unknownLoss(doubt);
  return { lossBytes: lsnDistance({ from: to.lsn, to: parseLsn(lsn) }), isExact: false, doubt };
}

function unknownLoss(doubt: string): Loss {
  return { lossBytes: null, isExact: false, doubt };
}

function refuseGreaterLoss(planned: Decision, now: Loss): void {
  if (now.lossBytes === null || planned.lossBytes === null) return;
  if (now.lossBytes <= planned.lossBytes) return;
  throw new UnderstudyError(
    "FAILOVER_REFUSED",
    `${planned.from ?? "the old primary"} has written meanwhile: ${now.lossBytes} bytes would be lost, not ${planned.lossBytes}; it is named to lead again`,
    { hint: "See the state: understudy status" },
  );
}

function describeLoss({ lossBytes, isExact, doubt, from }: Decision): string {
  if (lossBytes === null) return `what is lost cannot be told: ${doubt ?? "nothing tells"}`;
  if (!isExact) return `at least ${lossBytes} bytes are lost: ${doubt ?? "nothing tells more"}`;
  return lossBytes === 0
    ? `nothing is lost: it has all WAL of ${from ?? "the old primary"}`
    : `${lossBytes} bytes of the old primary's WAL are lost`;
}
