// Who takes a free lease: pure arithmetic over what the members say of themselves. The furthest
// standby wins; of two that are equally far the one with the higher priority, then the first by
// name, so that all who know the same choose the same.
import type { Fork } from "../fork.ts";
import { lsnDistance, type Lsn } from "../lsn.ts";
import { compareAsText } from "../name-order.ts";
import type { ClusterRecord } from "../record.ts";

/** How far a member has come. */
export interface Reach {
  readonly name: string;
  readonly timeline: number | null;
  /** See termOfTimeline. */
  readonly timelineTerm: number;
  readonly lsn: Lsn;
}

/** What is known of a member that could take the lease. */
export type Ballot =
  /** A standby that is up. */
  | ({ readonly kind: "up" } & Able)
  /** Its data is there but its server is not up; its agent could start it. */
  | ({ readonly kind: "down" } & Able)
  /** Proven to be unable to take part: it is not waited for. */
  | ({ readonly kind: "gone" } & Absent)
  /** It does not answer, and may have come further than all others. */
  | ({ readonly kind: "silent" } & Absent);

interface Able extends Reach {
  readonly priority: number;
  readonly barred: boolean;
  /**
   * It holds back what it has received, on purpose: it leads only where nobody else can. False
   * where nothing is said.
   */
  readonly delayed?: boolean;
}

interface Absent {
  readonly name: string;
  /** Its agent does: it can be asked for what its server had. Left out: it does not. */
  readonly answers?: boolean;
  /** What its disk tells, where that was asked and could be read. */
  readonly onDisk?: Reach;
}

export type ElectionResult =
  | { readonly winner: string; readonly reason: string }
  | { readonly winner: null; readonly reason: string };

/**
 * @param patient whether silent members may still be waited for: where they never answer the others
 * go on without them
 * @param maximumLagBytes nobody wins who lacks more than this of what another able member has, and
 * which could not be fetched from there; null: no limit
 */
export function electLeader(
  ballots: readonly Ballot[],
  patient: boolean,
  maximumLagBytes: number | null = null,
): ElectionResult {
  const silent = ballots.filter(({ kind }) => kind === "silent").map(({ name }) => name);
  if (patient && silent.length > 0)
    return { winner: null, reason: `${silent.join(", ")} does not answer yet` };
  const able = ballots.filter((ballot) => ballot.kind === "up" || ballot.kind === "down");
  const free = able.filter(({ barred }) => !barred).toSorted(compareCandidates);
  // Another line of history may be longer and still lack what the newest leader acknowledged.
  const newest = Math.max(...able.map(({ timelineTerm }) => timelineTerm));
  const line = able.filter(({ timelineTerm }) => timelineTerm === newest);
  const near = free.filter(
    (ballot) => maximumLagBytes === null || lackOf(ballot, line) <= maximumLagBytes,
  );
  const best =
    bestOf(
      near.filter(({ delayed }) => delayed !== true),
      newest,
    ) ?? bestOf(near, newest);
  if (best === undefined) return { winner: null, reason: "no member is able to take the lease" };
  const { name, lsn } = best;
  if (best.delayed === true) return { winner: name, reason: "no other member is able to lead" };
  const rivals = free.filter((each) => each.name !== name && each.lsn === lsn).length;
  return {
    winner: name,
    reason: rivals > 0 ? "it has all the WAL that others have" : "it has the most WAL",
  };
}

/** A crashed member is only started for good when nobody who is up can have its WAL. */
function bestOf<Candidate extends { kind: string; timelineTerm: number }>(
  sorted: readonly Candidate[],
  term: number,
): Candidate | undefined {
  const newest = sorted.filter(({ timelineTerm }) => timelineTerm === term);
  return newest.find(({ kind }) => kind === "up") ?? newest[0];
}

/** Bytes of what another has, on one history. */
function lackOf(ballot: Reach, all: readonly Reach[]): number {
  return Math.max(...all.map(({ lsn }) => lsnDistance({ from: ballot.lsn, to: lsn })));
}

/** Why a member does not lead but the winner does, as part of a sentence. */
export function whyNotChosen(
  ballot: Ballot,
  winner: Reach & { readonly priority: number },
): string {
  if (ballot.kind === "gone") return "it cannot take part";
  if (ballot.kind === "silent") return "it does not answer";
  if (ballot.barred) return "it is not to lead";
  if (ballot.delayed === true) return "it holds back what it receives";
  if (ballot.timelineTerm < winner.timelineTerm) return "its WAL is of an earlier leader";
  if (ballot.lsn < winner.lsn)
    return `it has ${lsnDistance({ from: ballot.lsn, to: winner.lsn })} bytes less`;
  if (ballot.kind === "down") return "its server is down";
  return ballot.priority < winner.priority
    ? "its priority is lower"
    : "it has as much, and comes after by name";
}

/**
 * Whose disks may hold what no standby has, the one that was writable last first: who announced the
 * newest fork, and whoever held the lease after it.
 */
export function formerLeaders(record: Pick<ClusterRecord, "forks" | "history">): readonly string[] {
  const { forks, history } = record;
  const announced = history.find(({ term }) => term === forks.at(-1)?.term);
  const names = [announced, history.at(-1)].flatMap((entry) => (entry ? [entry.member] : []));
  return [...new Set(names)];
}

/**
 * Whether a member never came onto the timeline that the last leader wrote on. All that this one
 * acknowledged in its term is then missing, not only what was under way when it ended.
 */
export function lacksNewestFork(
  forks: readonly Fork[],
  { timelineTerm }: Pick<Reach, "timelineTerm">,
): boolean {
  const newest = forks.at(-1);
  return newest !== undefined && timelineTerm < newest.term;
}

/** For sorting, the best first: the furthest, then the highest priority, then the first name. */
export function compareCandidates(
  one: Reach & { priority: number },
  other: Reach & { priority: number },
): number {
  const reach = compareReach({ ...one, name: "" }, { ...other, name: "" });
  return reach || other.priority - one.priority || (one.name < other.name ? -1 : 1);
}

/**
 * For sorting, the furthest first: the newest term that began a timeline, then that timeline's
 * number, then the position. A timeline with a higher number may be of an older leader than
 * another's.
 */
export function compareReach(one: Reach, other: Reach): number {
  return (
    other.timelineTerm - one.timelineTerm ||
    (other.timeline ?? 0) - (one.timeline ?? 0) ||
    (one.lsn === other.lsn ? compareAsText(one.name, other.name) : one.lsn > other.lsn ? -1 : 1)
  );
}

/**
 * The term that began the timeline a member is on; 0 for the first, which is everybody's. Where it
 * is not known, that of the newest timeline before it: a standby follows its primary's restart to a
 * new timeline by itself, perhaps before the primary could name it.
 */
export function termOfTimeline(timeline: number | null, forks: readonly Fork[]): number {
  if (timeline === null || timeline === 1) return 0;
  return forks.findLast((fork) => fork.timeline <= timeline)?.term ?? 0;
}
