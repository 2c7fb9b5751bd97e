// The status of a whole cluster: what `understudy status --json` prints, computed from the record
// and from what each agent answered. Pure. A value that nobody knows is null, and what is unknown
// is never healthy.
import { isDelayed, takesReaders } from "./cascade.ts";
import { MEMBER_KEYS } from "./config/member-keys.ts";
import { connectionUrl } from "./connection-url.ts";
import type { MemberRole, MemberState, MemberStatus, Progress } from "./member-status.ts";
import { namesInOrder } from "./name-order.ts";
import type { ClusterRecord, RecordMember } from "./record.ts";
import { describeScheduled } from "./protocol/schedule.ts";
import { isFenced } from "./record-changes.ts";
import { carryOverWarnings } from "./slot-warnings.ts";
import { API_VERSION } from "./spec.ts";
import { doubtOf, lagOf, peerOf, senderOf, syncOf, type SyncState } from "./streaming.ts";
import { promisesLess, syncStatusOf, syncWarnings, type SyncStatus } from "./sync-status.ts";

export const CLUSTER_STATES = ["healthy", "degraded", "no-primary", "paused"] as const;
export type ClusterState = (typeof CLUSTER_STATES)[number];

export interface ClusterMember {
  readonly name: string;
  readonly role: MemberRole;
  readonly state: MemberState;
  /** One sentence where the state alone does not say why. */
  readonly reason: string | null;
  readonly host: string;
  readonly port: number;
  /** Of the postmaster. */
  readonly pid: number | null;
  readonly timeline: number | null;
  readonly writeLsn: string | null;
  readonly flushLsn: string | null;
  readonly replayLsn: string | null;
  /** WAL that the primary has written and this standby has not on its disk; null on a primary. */
  readonly receiveLagBytes: number | null;
  /** WAL that the primary has written and this standby has not replayed; null on a primary. */
  readonly replayLagBytes: number | null;
  readonly replayLagSeconds: number | null;
  /** As the primary counts it; null on a primary and where the primary does not show the member. */
  readonly sync: SyncState | null;
  /** The member that a standby streams from; null on a primary and where there is nobody. */
  readonly upstream: string | null;
  /** How long it holds back what it receives, in milliseconds; null: not at all. */
  readonly delayMs: number | null;
  readonly slot: string | null;
  readonly progress: Progress | null;
  /** Whether applications are to read from it, once it is a standby that streams. */
  readonly takesReads: boolean;
  /** A person has said that its server must not run: see `understudy fence`. */
  readonly fenced: boolean;
  /** What a person has set for it, without what is as by default: see core/config. */
  readonly settings: Readonly<Record<string, string>>;
  readonly warnings: readonly string[];
}

export interface ClusterStatus {
  readonly apiVersion: typeof API_VERSION;
  readonly kind: "ClusterStatus";
  readonly cluster: string;
  readonly state: ClusterState;
  readonly term: number;
  readonly systemId: string | null;
  /** The member that holds the lease and says that it is the primary. */
  readonly primary: string | null;
  readonly timeline: number | null;
  readonly postgresVersion: string | null;
  /** In the order of their names, "demo-2" before "demo-10". */
  readonly members: readonly ClusterMember[];
  /** Connection strings for applications, without the password. */
  readonly endpoints: { readonly write: string; readonly read: string };
  readonly sync: SyncStatus;
  readonly warnings: readonly string[];
}

/** What an agent answered, or why it did not. */
export type MemberAnswer = MemberStatus | { readonly unreachable: string };

interface Question {
  readonly record: ClusterRecord;
  readonly statuses: ReadonlyMap<string, MemberAnswer>;
  /** Findings of the caller's own, put after ours: shared disks can be told only on one machine. */
  readonly extraWarnings: readonly string[];
}

/**
 * Healthy: exactly one member says that it is the primary, it holds the lease of the record's term,
 * and every
 * other member is proven to stream from it. A standby's word alone proves nothing (lesson 49): the
 * primary must
 * show it too, on the primary's timeline. With synchronous replication as much is promised as is
 * wanted.
 */
export function summarize(question: Question): ClusterStatus {
  const { record, statuses } = question;
  const claimants = namesInOrder(statuses.keys()).filter((name) => saysPrimary(statuses.get(name)));
  const primary = primaryOf(record, claimants, statuses);
  const members = namesInOrder(Object.keys(record.members)).flatMap((name) => {
    const place = record.members[name];
    return place === undefined ? [] : [memberOf({ name, place, record, primary, statuses })];
  });
  const state = stateOf({ record, claimants, primary, members });
  return {
    apiVersion: API_VERSION,
    kind: "ClusterStatus",
    cluster: record.cluster,
    state,
    term: record.term,
    systemId: record.systemId,
    primary: primary?.name ?? null,
    timeline: primary?.timeline ?? null,
    postgresVersion: primary?.postgresVersion ?? anyVersion(statuses),
    members,
    endpoints: endpointsOf(members),
    sync: syncStatusOf(record),
    warnings: [
      ...claimWarnings({ record, claimants, primary, statuses }),
      ...clusterWarnings(record, statuses),
      ...syncWarnings(record, primary),
      ...carryOverWarnings(record, { primary, standbys: standbysIn(statuses) }),
      ...question.extraWarnings,
    ],
  };
}

/** Exit status for `status --exit-code`: 0 healthy, 7 not quite, 8 no primary. */
export function exitStatusOf(state: ClusterState): 0 | 7 | 8 {
  if (state === "healthy") return 0;
  return state === "no-primary" ? 8 : 7;
}

function answered(answer: MemberAnswer | undefined): MemberStatus | null {
  return answer === undefined || "unreachable" in answer ? null : answer;
}

function saysPrimary(answer: MemberAnswer | undefined): boolean {
  return answered(answer)?.role === "primary";
}

function standbysIn(statuses: Question["statuses"]): MemberStatus[] {
  return namesInOrder(statuses.keys()).flatMap((name) => {
    const answer = answered(statuses.get(name));
    return answer?.role === "standby" ? [answer] : [];
  });
}

function primaryOf(
  record: ClusterRecord,
  claimants: readonly string[],
  statuses: Question["statuses"],
): MemberStatus | null {
  const holder = record.leader?.member;
  if (holder === undefined || !claimants.includes(holder)) return null;
  return answered(statuses.get(holder));
}

function stateOf(facts: {
  record: ClusterRecord;
  claimants: readonly string[];
  primary: MemberStatus | null;
  members: readonly ClusterMember[];
}): ClusterState {
  const { record, claimants, primary, members } = facts;
  if (claimants.length > 1) return "degraded";
  if (primary === null) return "no-primary";
  const ready = primary.state === "running" && primary.term === record.term;
  if (!ready || record.switchover !== null || promisesLess(record)) return "degraded";
  const others = members.filter((member) => member.name !== primary.name);
  if (!others.every((member) => member.state === "streaming" || isHeldBack(member)))
    return "degraded";
  return record.paused ? "paused" : "healthy";
}

/**
 * A delayed standby that was started, or whose primary has changed, receives nothing before it has
 * replayed what it has, which takes it as long as its delay.
 */
export function isHeldBack({ role, state, delayMs }: ClusterMember): boolean {
  return role === "standby" && state === "catching-up" && delayMs !== null;
}

interface MemberFacts {
  readonly name: string;
  readonly place: RecordMember;
  readonly record: ClusterRecord;
  readonly primary: MemberStatus | null;
  readonly statuses: Question["statuses"];
}

function memberOf(facts: MemberFacts): ClusterMember {
  const answer = facts.statuses.get(facts.name) ?? { unreachable: "it was not asked" };
  if ("unreachable" in answer) return unreachableMember(facts, answer.unreachable);
  const isStandby = answer.role === "standby" && answer.name !== facts.primary?.name;
  const sender = isStandby ? senderOf(answer, facts) : null;
  const peer = sender === null ? null : peerOf(sender, answer.name);
  const lag = isStandby ? lagOf(facts.primary, answer) : { receive: null, replay: null };
  const doubt =
    answer.state === "streaming"
      ? doubtOf({ standby: answer, primary: facts.primary, sender, peer, lag })
      : null;
  return {
    name: facts.name,
    role: answer.role,
    state: doubt === null ? answer.state : "catching-up",
    reason: doubt ?? answer.reason,
    host: facts.place.host,
    port: facts.place.port,
    pid: answer.pid,
    timeline: answer.timeline,
    writeLsn: answer.writeLsn,
    flushLsn: answer.flushLsn,
    replayLsn: answer.replayLsn,
    receiveLagBytes: lag.receive,
    replayLagBytes: lag.replay,
    replayLagSeconds: isStandby ? answer.replayLagSeconds : null,
    sync: sender === facts.primary ? syncOf(peer) : null,
    upstream: isStandby ? answer.upstream : null,
    slot: answer.slot,
    progress: answer.progress,
    ...wishesFor(facts),
    warnings: answer.warnings,
  };
}

function unreachableMember(facts: MemberFacts, why: string): ClusterMember {
  return {
    name: facts.name,
    role: "none",
    state: "unreachable",
    reason: why,
    host: facts.place.host,
    port: facts.place.port,
    pid: null,
    timeline: null,
    writeLsn: null,
    flushLsn: null,
    replayLsn: null,
    receiveLagBytes: null,
    replayLagBytes: null,
    replayLagSeconds: null,
    sync: null,
    upstream: null,
    slot: null,
    progress: null,
    ...wishesFor(facts),
    warnings: [],
  };
}

function wishesFor({
  place,
  name,
  record,
}: MemberFacts): Pick<ClusterMember, "delayMs" | "takesReads" | "fenced" | "settings"> {
  const set = MEMBER_KEYS.flatMap(({ name: key, show }) => {
    const { text, isDefault } = show(place);
    return isDefault ? [] : [[key, text] as const];
  });
  const fenced = isFenced(record, name);
  const delayMs = isDelayed(place) ? (place.tags.delayMs ?? null) : null;
  const takesReads = takesReaders(place) && !fenced;
  return { delayMs, takesReads, fenced, settings: Object.fromEntries(set) };
}

function anyVersion(statuses: Question["statuses"]): string | null {
  for (const answer of statuses.values()) {
    const version = answered(answer)?.postgresVersion;
    if (version) return version;
  }
  return null;
}

function endpointsOf(members: readonly ClusterMember[]): ClusterStatus["endpoints"] {
  // A client tries the hosts in their order: the likely ones first save it detours.
  const isPrimary = (member: ClusterMember) => member.role === "primary";
  const primaries = members.filter((member) => isPrimary(member));
  const others = members.filter((member) => !isPrimary(member));
  return {
    write: connectionUrl({ hosts: [...primaries, ...others], wants: "read-write" }),
    read: connectionUrl({ hosts: readersIn(members), wants: "prefer-standby" }),
  };
}

/**
 * Where reads may go, in the order in which a client is to try: the standbys that take reads, then
 * the primary. Whoever must not be read from is named only where there is nobody else.
 */
export function readersIn(members: readonly ClusterMember[]): readonly ClusterMember[] {
  const standbys = members.filter(({ role, takesReads }) => role !== "primary" && takesReads);
  const readers = [...standbys, ...members.filter(({ role }) => role === "primary")];
  return readers.length === 0 ? members : readers;
}

function claimWarnings(facts: {
  record: ClusterRecord;
  claimants: readonly string[];
  primary: MemberStatus | null;
  statuses: Question["statuses"];
}): string[] {
  const { record, claimants, primary, statuses } = facts;
  const warnings: string[] = [];
  const holder = record.leader?.member ?? null;
  if (claimants.length > 1)
    warnings.push(
      `SPLIT BRAIN: ${listed(claimants)} each say that they are the primary; ` +
        `the lease of term ${record.term} is held by ${holder ?? "nobody"}. ` +
        "Stop writing and see: understudy events",
    );
  else if (claimants.length === 1 && primary === null)
    warnings.push(
      `${claimants[0]} says that it is the primary, but the lease of term ${record.term} ` +
        `is held by ${holder ?? "nobody"}: understudy events`,
    );
  if (primary !== null && primary.term !== record.term)
    warnings.push(
      `${primary.name} acts for term ${primary.term ?? "unknown"}, the record is at term ${record.term}`,
    );
  const answer = holder === null ? undefined : statuses.get(holder);
  if (holder !== null && answered(answer) === null)
    warnings.push(
      `${holder} holds the lease but does not answer: whether it takes writes is not known. ` +
        "Bring it back: understudy up",
    );
  return warnings;
}

function clusterWarnings(record: ClusterRecord, statuses: Question["statuses"]): string[] {
  const warnings: string[] = [];
  if (record.paused) warnings.push("automatic failover is paused");
  for (const name of namesInOrder(record.fenced))
    warnings.push(`${name} is fenced; to have it back: understudy unfence ${name}`);
  if (record.scheduled !== null)
    warnings.push(
      `${describeScheduled(record.scheduled)} is scheduled for ${record.scheduled.at}; to cancel it: understudy switchover --cancel`,
    );
  if (record.switchover !== null)
    warnings.push(`a switchover from ${record.switchover.from} to ${record.switchover.to} goes on`);
  const strangers = namesInOrder(statuses.keys()).filter(
    (name) => record.members[name] === undefined && answered(statuses.get(name)) !== null,
  );
  for (const name of strangers)
    warnings.push(`${name} answers, but the record does not name it as a member`);
  const versions = new Set<string>();
  for (const answer of statuses.values()) {
    const version = answered(answer)?.postgresVersion;
    if (version) versions.add(version);
  }
  if (versions.size > 1)
    warnings.push(`the members run different versions: ${listed(namesInOrder(versions))}`);
  return warnings;
}

function listed(names: readonly string[]): string {
  if (names.length < 2) return names.join("");
  return `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
