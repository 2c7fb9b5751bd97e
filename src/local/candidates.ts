// Which standby a failover promotes: the one that has come furthest, or the one that was asked for
// where nothing is lost by that.
import { memberPaths } from "../agent/member-paths.ts";
import { MemberMemory } from "../agent/memory.ts";
import { isDelayed } from "../core/cascade.ts";
import type { MemberAnswer } from "../core/cluster-status.ts";
import { UnderstudyError } from "../core/errors.ts";
import type { Fork } from "../core/fork.ts";
import { formatLsn, greatestLsn, lsnDistance, parseLsnOrNull } from "../core/lsn.ts";
import type { MemberStatus } from "../core/member-status.ts";
import {
  compareCandidates,
  termOfTimeline,
  whyNotChosen,
  type Reach,
} from "../core/protocol/election.ts";
import { isFenced } from "../core/record-changes.ts";
import { lastLeader, type ClusterRecord } from "../core/record.ts";
import { readMarker } from "../postgres/base-backup/marker.ts";
import { findServerProcesses } from "../postgres/processes.ts";
import { findWalEnd } from "../postgres/wal-end.ts";
import type { LocalCluster } from "./cluster.ts";
import { includesWal } from "./includes-wal.ts";

export interface Candidate extends Reach {
  readonly forks: readonly Fork[];
  readonly priority: number;
}

type Position = Pick<Reach, "lsn" | "timeline">;

/** @param of.wanted a member that there is @throws UnderstudyError FAILOVER_REFUSED. */
export async function chooseCandidate(
  cluster: LocalCluster,
  of: {
    record: ClusterRecord;
    /** Who leads no more. */
    from: string | null;
    /** Null: the one that has come furthest. */
    wanted: string | null;
    answers: ReadonlyMap<string, MemberAnswer>;
  },
): Promise<{ chosen: Candidate; candidates: readonly Candidate[] }> {
  const { wanted, answers } = of;
  const candidates = await furthestFirst(cluster, await candidatesAmong(cluster, of));
  const [best] = candidates;
  if (best === undefined)
    throw new UnderstudyError(
      "FAILOVER_REFUSED",
      `no standby of ${cluster.place.name} is up that could become the primary`,
      { hint: "Bring the members back: understudy up" },
    );
  if (wanted === null) return { chosen: best, candidates };
  const chosen = candidates.find(({ name }) => name === wanted);
  if (isFenced(of.record, wanted))
    throw new UnderstudyError("FAILOVER_REFUSED", `${wanted} is fenced and cannot lead`, {
      hint: `Unfence it first: understudy unfence ${wanted}`,
    });
  if (chosen === undefined)
    throw new UnderstudyError(
      "FAILOVER_REFUSED",
      `${wanted} is not a standby that is up: ${whyNoCandidate(answers.get(wanted))}`,
    );
  refuseWorse(chosen, best);
  return { chosen, candidates };
}

function whyNoCandidate(answer: MemberAnswer | undefined): string {
  if (answer === undefined) return "it was not asked";
  if ("unreachable" in answer) return answer.unreachable;
  if (answer.role === "standby" && answer.flushLsn === null && answer.replayLsn === null)
    return "its PostgreSQL does not tell how far it is";
  return `it is ${answer.state}${answer.reason === null ? "" : ` (${answer.reason})`}`;
}

/** How far each member was when a person decided, and why it was not the one. */
export function membersAtFailover(of: {
  record: ClusterRecord;
  to: Candidate;
  candidates: readonly Candidate[];
  answers: ReadonlyMap<string, MemberAnswer>;
}): readonly Readonly<Record<string, unknown>>[] {
  const { record, to, candidates, answers } = of;
  return [...answers].map(([name, answer]) => {
    const candidate = candidates.find((each) => each.name === name);
    const chosen = name === to.name;
    const lsn = candidate === undefined ? null : formatLsn(candidate.lsn);
    const timeline = candidate?.timeline ?? null;
    const state = "unreachable" in answer ? "unreachable" : answer.state;
    const why = chosen ? null : whyPassedOver({ record, name, answer, candidate, to });
    return { name, state, timeline, lsn, lsnIsLeast: false, chosen, why };
  });
}

function whyPassedOver(of: {
  record: ClusterRecord;
  name: string;
  answer: MemberAnswer;
  candidate: Candidate | undefined;
  to: Candidate;
}): string {
  const { record, name, answer, candidate, to } = of;
  if ("unreachable" in answer) return answer.unreachable;
  if (isFenced(record, name)) return "it is fenced";
  if (candidate !== undefined) return whyNotChosen({ ...candidate, kind: "up", barred: false }, to);
  if (record.members[name]?.tags.nofailover === true) return "it is set nofailover";
  return lastLeader(record) === name ? "it led" : "its position cannot be told";
}

async function candidatesAmong(
  cluster: LocalCluster,
  of: {
    record: ClusterRecord;
    from: string | null;
    wanted: string | null;
    answers: ReadonlyMap<string, MemberAnswer>;
  },
): Promise<Candidate[]> {
  const candidates: Candidate[] = [];
  for (const [name, answer] of of.answers) {
    const tags = of.record.members[name]?.tags;
    // A person who names it means it.
    const barred = tags?.nofailover === true && name !== of.wanted;
    if (name === of.from || barred || isFenced(of.record, name) || "unreachable" in answer)
      continue;
    const { data, memory } = memberPaths(cluster.paths.root, name);
    const position = answer.role === "standby" ? positionOf(answer) : await positionOnDisk(data);
    if (position === null) continue;
    const { forks } = await MemberMemory.load(memory);
    const timelineTerm = termOfTimeline(position.timeline, forks);
    const priority = tags?.priority ?? 0;
    candidates.push({ name, ...position, forks, timelineTerm, priority });
  }
  // What is held back on purpose leads only where nobody else can, or where a person names it.
  const prompt = candidates.filter(
    ({ name }) => name === of.wanted || !isDelayed(of.record.members[name]),
  );
  return (prompt.length > 0 ? prompt : candidates).sort(compareCandidates);
}

/**
 * By what they know of terms another may come before one that has all of its WAL and more: then the
 * WAL itself decides.
 */
async function furthestFirst(
  cluster: LocalCluster,
  sorted: readonly Candidate[],
): Promise<readonly Candidate[]> {
  let [best] = sorted;
  if (best === undefined) return sorted;
  const onDisk = ({ name, timeline, lsn }: Candidate) => {
    const { data: dataDir } = memberPaths(cluster.paths.root, name);
    return { dataDir, timeline, lsn };
  };
  for (const each of sorted)
    if (each.lsn > best.lsn && (await includesWal(onDisk(each), onDisk(best)))) best = each;
  return [best, ...sorted.filter((each) => each !== best)];
}

function positionOf(status: MemberStatus): Position | null {
  const lsn = greatestLsn(parseLsnOrNull(status.flushLsn), parseLsnOrNull(status.replayLsn));
  return lsn === null ? null : { lsn, timeline: status.timeline };
}

/**
 * Of a member whose agent lives but whose server does not: without a primary to compare itself with
 * it does not start, as after the whole machine went down; named to lead, it does.
 */
async function positionOnDisk(dataDir: string): Promise<Position | null> {
  try {
    if (findServerProcesses(dataDir).length > 0 || (await readMarker(dataDir)) !== null)
      return null;
    const { timeline, endLsn } = await findWalEnd(dataDir);
    return { timeline, lsn: endLsn };
  } catch {
    return null;
  }
}

function refuseWorse(chosen: Candidate, best: Candidate): void {
  const hint = `Fail over to ${best.name}, then switch over to ${chosen.name}.`;
  if (chosen.timelineTerm !== best.timelineTerm || chosen.timeline !== best.timeline)
    throw new UnderstudyError(
      "FAILOVER_REFUSED",
      `${chosen.name} is on timeline ${chosen.timeline ?? "unknown"}, and ${best.name} on a newer one (${best.timeline ?? "unknown"}); what only that has would be lost`,
      { hint },
    );
  if (chosen.lsn < best.lsn)
    throw new UnderstudyError(
      "FAILOVER_REFUSED",
      `${chosen.name} has ${lsnDistance({ from: chosen.lsn, to: best.lsn })} bytes less than ${best.name}; they would be lost`,
      { hint },
    );
}
