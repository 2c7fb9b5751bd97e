// A failover by hand, when the primary is gone: the operating system proves that it is, the standby with the most WAL is named, and what may
// be lost is said in bytes before anything changes.
import { memberPaths } from "../agent/member-paths.ts";
import type { MemberAnswer } from "../core/cluster-status.ts";
import { UnderstudyError } from "../core/errors.ts";
import { greatestLsn, lsnDistance, parseLsn, parseLsnOrNull, type Lsn } from "../core/lsn.ts";
import type { MemberStatus } from "../core/member-status.ts";
import { lastLeader, type ClusterRecord } from "../core/record.ts";
import { appointHeir } from "../core/record-changes.ts";
import { findServerProcesses } from "../postgres/processes.ts";
import { findWalEnd } from "../postgres/wal-end.ts";
import { agentRuns } from "./agents.ts";
import {
  changeClusterRecord,
  lockCluster,
  readRecord,
  type LocalCluster,
  type Operation,
  type Outcome,
  type Plan,
} from "./cluster.ts";
import { askMembers } from "./read-status.ts";
import { waitFor } from "./wait-for.ts";

interface FailoverRequest {
  /** Null: the candidate that has the most WAL. */
  readonly to: string | null;
}

interface Candidate {
  readonly name: string;
  readonly timeline: number | null;
  readonly lsn: Lsn;
}

interface Decision {
  readonly record: ClusterRecord;
  readonly from: string | null;
  readonly to: Candidate;
  /** Null when the dead primary's disk does not tell and its last renewal is not known. */
  readonly lossBytes: number | null;
  /** Whether the loss is exact: read from the dead primary's WAL. */
  readonly isExact: boolean;
}

/** @throws UnderstudyError FAILOVER_REFUSED with the reason, MEMBER_NOT_FOUND. */
export async function planFailover(cluster: LocalCluster, request: FailoverRequest): Promise<Plan> {
  const decision = await decideFailover(cluster, request);
  const { from, to, lossBytes, record } = decision;
  return {
    summary: `${to.name} becomes the primary in place of ${from ?? "nobody"}; ${describeLoss(decision)}`,
    steps: [
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
  const { record, from, to, lossBytes, isExact } = decision;
  const deadLeader = record.leader?.member ?? null;
  const appointment = { member: to.name, deadLeader, term: record.term };
  if ((await changeClusterRecord(cluster, (current) => appointHeir(current, appointment))) === null)
    throw new UnderstudyError("FAILOVER_REFUSED", "the record has changed meanwhile; look again");
  operation.onStep(`${to.name} is named to take the lease of term ${record.term + 1}`);
  const outcome = {
    summary: `${to.name} is the primary now; ${describeLoss(decision)}`,
    facts: { from, to: to.name, lossBytes, lossIsExact: isExact },
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
  const from = lastLeader(record);
  const answers = await askMembers(cluster, { record });
  if (from !== null) refuseLivingPrimary(cluster, { from, answers });
  const candidates = candidatesAmong(answers, { record, from });
  const to = chosen(cluster, { candidates, request, answers });
  return { record, from, to, ...(await estimateLoss(cluster, { record, from, to })) };
}

/** Both must be gone: a server without its agent still takes writes, an agent without its server brings that back. */
function refuseLivingPrimary(
  cluster: LocalCluster,
  of: { from: string; answers: ReadonlyMap<string, MemberAnswer> },
): void {
  const { from } = of;
  const answer = of.answers.get(from);
  const { root } = cluster.paths;
  if (answer !== undefined && !("unreachable" in answer) && answer.role === "primary")
    throw new UnderstudyError(
      "FAILOVER_REFUSED",
      `${from} is the primary and alive; nothing was changed`,
      {
        hint: "For a planned change: understudy switchover",
      },
    );
  const processes = findServerProcesses(memberPaths(root, from).data);
  if (processes.length > 0)
    throw new UnderstudyError(
      "FAILOVER_REFUSED",
      `PostgreSQL of ${from} still runs (process ${processes[0]?.pid ?? "unknown"}) and may take writes; nothing was changed`,
      { hint: "Bring its agent back: understudy up" },
    );
  if (agentRuns(root, from) && !holdsNothing(answer))
    throw new UnderstudyError(
      "FAILOVER_REFUSED",
      `the agent of ${from} is alive and is bringing its PostgreSQL back; nothing was changed`,
      {
        hint: "See how far it is: understudy status --watch",
      },
    );
}

/** The agent lives, but says that it cannot lead: its data is gone, or its server does not start. */
function holdsNothing(answer: MemberAnswer | undefined): boolean {
  return answer !== undefined && !("unreachable" in answer) && answer.state === "failed";
}

function candidatesAmong(
  answers: ReadonlyMap<string, MemberAnswer>,
  of: { record: ClusterRecord; from: string | null },
): Candidate[] {
  const candidates: Candidate[] = [];
  for (const [name, answer] of answers) {
    const lsn = "unreachable" in answer ? null : positionOf(answer);
    const barred = of.record.members[name]?.tags.nofailover === true;
    if (lsn === null || name === of.from || barred || "unreachable" in answer) continue;
    if (answer.role === "standby") candidates.push({ name, timeline: answer.timeline, lsn });
  }
  return candidates.sort(
    (one, other) =>
      (other.timeline ?? 0) - (one.timeline ?? 0) ||
      (one.lsn === other.lsn ? one.name.localeCompare(other.name) : one.lsn > other.lsn ? -1 : 1),
  );
}

function positionOf(status: MemberStatus): Lsn | null {
  return greatestLsn(parseLsnOrNull(status.flushLsn), parseLsnOrNull(status.replayLsn));
}

function chosen(
  cluster: LocalCluster,
  of: {
    candidates: readonly Candidate[];
    request: FailoverRequest;
    answers: ReadonlyMap<string, MemberAnswer>;
  },
): Candidate {
  const { candidates, request, answers } = of;
  const [best] = candidates;
  if (best === undefined)
    throw new UnderstudyError(
      "FAILOVER_REFUSED",
      `no standby of ${cluster.place.name} is up that could become the primary`,
      {
        hint: "Bring the members back: understudy up",
      },
    );
  if (request.to === null) return best;
  if (!answers.has(request.to))
    throw new UnderstudyError(
      "MEMBER_NOT_FOUND",
      `the cluster has no member ${JSON.stringify(request.to)}`,
      {
        hint: `Its members: ${[...answers.keys()].join(", ")}.`,
      },
    );
  const wanted = candidates.find(({ name }) => name === request.to);
  if (wanted === undefined)
    throw new UnderstudyError("FAILOVER_REFUSED", `${request.to} is not a standby that is up`);
  if (wanted.timeline !== best.timeline || wanted.lsn < best.lsn)
    throw new UnderstudyError(
      "FAILOVER_REFUSED",
      `${wanted.name} has ${lsnDistance({ from: wanted.lsn, to: best.lsn })} bytes less than ${best.name}; they would be lost`,
      { hint: `Fail over to ${best.name}, then switch over to ${wanted.name}.` },
    );
  return wanted;
}

async function estimateLoss(
  cluster: LocalCluster,
  of: { record: ClusterRecord; from: string | null; to: Candidate },
): Promise<{ lossBytes: number | null; isExact: boolean }> {
  if (of.from === null) return { lossBytes: null, isExact: false };
  const { data } = memberPaths(cluster.paths.root, of.from);
  const end = await findWalEnd(data).catch(() => null);
  if (end !== null)
    return { lossBytes: lsnDistance({ from: of.to.lsn, to: end.endLsn }), isExact: true };
  const renewed = of.record.leader?.lsn ?? null;
  if (renewed === null) return { lossBytes: null, isExact: false };
  return { lossBytes: lsnDistance({ from: of.to.lsn, to: parseLsn(renewed) }), isExact: false };
}

function describeLoss({ lossBytes, isExact }: Decision): string {
  if (lossBytes === null)
    return "what is lost cannot be told: the old primary's disk cannot be read";
  if (isExact)
    return lossBytes === 0
      ? "nothing is lost: it has all WAL of the old primary"
      : `${lossBytes} bytes of the old primary's WAL are lost`;
  return `at least ${lossBytes} bytes are lost: the old primary's disk cannot be read`;
}
