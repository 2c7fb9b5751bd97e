// A failover by hand, when the primary is gone: the operating system proves that it is, the standby
// with the most WAL saves what the old primary's disk still has and is named, and what is lost all
// the same is said in bytes before anything changes for good.
import { memberPaths } from "../agent/member-paths.ts";
import { agentRuns } from "../agent/witness.ts";
import type { MemberAnswer } from "../core/cluster-status.ts";
import { UnderstudyError, messageOf } from "../core/errors.ts";
import { lastKnownPosition, lastLeader, type ClusterRecord } from "../core/record.ts";
import { readControlData } from "../postgres/control-data.ts";
import { findServerProcesses, surveyServer } from "../postgres/processes.ts";
import { chooseCandidate, membersAtFailover, type Candidate } from "./candidates.ts";
import {
  askAgent,
  lockCluster,
  readRecord,
  recordMember,
  type LocalCluster,
  type Operation,
  type Outcome,
  type Plan,
} from "./cluster.ts";
import {
  canBeSaved,
  describeLoss,
  describeSaving,
  estimateLoss,
  losesSomething,
  lossAfter,
  type Loss,
} from "./failover-loss.ts";
import { askMembers } from "./read-status.ts";
import { revoke } from "./revocation.ts";
import { saveFromDisk } from "./save-from-disk.ts";
import { refuseSharedTablespaces } from "./shared-tablespaces.ts";
import { waitFor } from "./wait-for.ts";

const NOTE_LIMIT_MS = 5_000;

export interface FailoverRequest {
  /** Null: the candidate that has the most WAL. */
  readonly to: string | null;
  /** A person has said that what is lost may be lost; null: nothing is to be done yet. */
  readonly acceptLoss: boolean | null;
}

interface Decision extends Loss {
  readonly record: ClusterRecord;
  readonly from: string | null;
  readonly to: Candidate;
  readonly candidates: readonly Candidate[];
  readonly answers: ReadonlyMap<string, MemberAnswer>;
}

/** @throws UnderstudyError FAILOVER_REFUSED with the reason, MEMBER_NOT_FOUND. */
export async function planFailover(cluster: LocalCluster, request: FailoverRequest): Promise<Plan> {
  const decision = await decideFailover(cluster, request);
  const isSaved = canBeSaved(decision);
  if (!isSaved) requireAcceptance(decision, request);
  const { from, to, record } = decision;
  const what = isSaved ? describeSaving(decision, { from }) : describeLoss(decision, { from });
  return {
    summary: `${to.name} becomes the primary in place of ${from ?? "nobody"}; ${what}`,
    steps: [
      ...(isSaved || !losesSomething(decision) ? [] : ["accept the loss: it takes --accept-loss"]),
      ...(from === null
        ? []
        : [`take the lease from ${from}, which can take no writes from then on`]),
      ...(isSaved ? [`save what ${to.name} lacks from the disk of ${from ?? "the old one"}`] : []),
      `give the lease of term ${record.term + 1} to ${to.name}, which is promoted`,
      "the other members follow it; the old primary is compared with it before it may rejoin",
    ],
    facts: { from, to: to.name, ...plannedFacts(decision) },
  };
}

function lossFacts({ lossBytes, lossTransactions, isExact, keepsPromise, savedBytes }: Loss) {
  return { lossBytes, lossTransactions, lossIsExact: isExact, keepsPromise, savedBytes };
}

/** With what is to be saved counted as saved. */
function plannedFacts(planned: Loss) {
  if (!canBeSaved(planned)) return lossFacts(planned);
  const savedBytes = planned.lossBytes ?? 0;
  return lossFacts({ ...planned, lossBytes: 0, lossTransactions: 0, savedBytes });
}

/** @throws UnderstudyError FAILOVER_REFUSED (nothing changed), OPERATION_IN_PROGRESS, TIMED_OUT. */
export async function failover(
  cluster: LocalCluster,
  request: FailoverRequest,
  operation: Operation,
): Promise<Outcome> {
  using _lock = lockCluster(cluster);
  const decision = await decideFailover(cluster, request);
  if (!canBeSaved(decision)) requireAcceptance(decision, request);
  const { record, from, to } = decision;
  const revocation = await revoke(cluster, { record, to: to.name, operation });
  let loss: Loss = decision;
  try {
    loss = await saveOrTell(cluster, { decision, operation });
    requireAcceptance({ ...decision, ...loss, isUndone: true }, request);
    refuseGreaterLoss(decision, loss);
    await revocation.appoint(to.name);
  } catch (thrown) {
    await revocation.undo();
    throw thrown;
  }
  operation.onStep(`${to.name} is named to take the lease of term ${record.term + 1}`);
  await noteDecision(cluster, { ...decision, ...loss }, operation).catch((thrown: unknown) =>
    operation.onStep(`the decision is not among the events: ${messageOf(thrown)}`),
  );
  const outcome = {
    summary: `${to.name} is the primary now; ${describeLoss(loss, { from })}`,
    facts: { from, to: to.name, ...lossFacts(loss) },
  };
  if (!operation.wait) return outcome;
  await waitFor(cluster, {
    what: `the promotion of ${to.name}`,
    isSo: ({ primary }) => primary === to.name,
    operation,
  });
  return outcome;
}

/** Nothing of the old primary's WAL grows any more: what is left after this is what is lost. */
async function saveOrTell(
  cluster: LocalCluster,
  of: { decision: Decision; operation: Operation },
): Promise<Loss> {
  const { decision, operation } = of;
  const { from, to } = decision;
  const hasLed = from !== null && from !== to.name;
  if (hasLed) operation.onStep(`${to.name} saves what it lacks from the disk of ${from}`);
  const saved = hasLed
    ? await saveFromDisk(cluster, { record: decision.record, to: to.name, operation })
    : null;
  if (saved?.lostBytes === 0) return lossAfter(saved, { ...decision, ...keptBy(decision) });
  // It may have come back and taken writes between the look at it and the revocation.
  const record = await readRecord(cluster);
  const answers = await askMembers(cluster, { record, signal: operation.signal });
  const told = await estimateLoss(cluster, { ...decision, record, answers });
  return saved === null ? told : lossAfter(saved, told);
}

/** Whoever led has all that was acknowledged. */
function keptBy({ record }: Decision): Pick<Loss, "keepsPromise"> {
  return { keepsPromise: record.sync.guarantee !== null };
}

async function decideFailover(cluster: LocalCluster, request: FailoverRequest): Promise<Decision> {
  const record = await readRecord(cluster);
  if (request.to !== null) recordMember(record, request.to);
  const answers = await askMembers(cluster, { record });
  await refuseWriters(cluster, answers);
  await refuseSharedTablespaces(cluster, { record, code: "FAILOVER_REFUSED" });
  const named = record.leader?.member ?? record.heir;
  if (named !== null) refuseReturning(cluster, { named, answers });
  const wanted = request.to;
  const choice = await chooseCandidate(cluster, { record, from: named, wanted, answers });
  const { chosen: to, candidates } = choice;
  const from = lastLeader(record);
  const loss = await estimateLoss(cluster, { record, from, to, candidates, answers });
  return { record, from, to, candidates, answers, ...loss };
}

/** Kept with the new primary's events: who decided, on what, and why not another. */
async function noteDecision(
  cluster: LocalCluster,
  decision: Decision,
  operation: Operation,
): Promise<void> {
  const { record, from, to, candidates, answers } = decision;
  const body = {
    message: `A person names ${to.name} as the primary in place of ${from ?? "nobody"}; ${describeLoss(decision, { from })}.`,
    details: {
      term: record.term + 1,
      decidedBy: "a person",
      from,
      to: to.name,
      ...lossFacts(decision),
      ended: record.ended,
      lastKnown: lastKnownPosition(record),
      members: membersAtFailover({ record, to, candidates, answers }),
    },
  };
  const member = recordMember(record, to.name);
  const limits = { signal: operation.signal, timeoutMs: NOTE_LIMIT_MS };
  await askAgent(cluster, { member, path: "/note-decision", body, operation: limits });
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

/** @throws UnderstudyError FAILOVER_REFUSED unless a person has accepted what is lost. */
function requireAcceptance(
  decision: Decision & { readonly isUndone?: boolean },
  request: FailoverRequest,
): void {
  const { from, to, record } = decision;
  if (request.acceptLoss !== false || !losesSomething(decision)) return;
  const led = record.leader?.member ?? record.heir;
  const now =
    decision.isUndone !== true || led === null
      ? "nothing was changed"
      : `${led} is named to lead again`;
  throw new UnderstudyError(
    "FAILOVER_REFUSED",
    `${to.name} would become the primary in place of ${from ?? "nobody"}, and ${describeLoss(decision, { from })}; ${now}`,
    { hint: `To accept that: understudy failover --to ${to.name} --accept-loss` },
  );
}

function refuseGreaterLoss(planned: Decision, now: Loss): void {
  const isMore =
    now.lossBytes === null
      ? planned.lossBytes !== null
      : planned.lossBytes !== null && now.lossBytes > planned.lossBytes;
  // What was not acknowledged may have become more, where that was nothing before either.
  if (now.keepsPromise || !(isMore || planned.keepsPromise)) return;
  throw new UnderstudyError(
    "FAILOVER_REFUSED",
    `${planned.from ?? "the old primary"} has changed meanwhile: ${describeLoss(now, planned)}; it is named to lead again`,
    { hint: "See the state: understudy status" },
  );
}
