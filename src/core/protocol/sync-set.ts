// The one next step from the synchronous members that there are to those that there should be, in
// the order in which a death at any moment breaks no promise: whatever PostgreSQL may still
// acknowledge by implies what the record promises. Pure.
import { maySynchronize } from "../cascade.ts";
import type { ClusterRecord, SyncPolicy } from "../record.ts";
import { isFenced } from "../record-changes.ts";
import { NOBODY, implies, isSameQuorum, quorumOf, type Guarantee, type Quorum } from "./quorum.ts";

export interface SyncSituation {
  /** What PostgreSQL waits for, and nothing else any more: the barrier after the last change. */
  readonly setting: Quorum;
  /** What the record promises. */
  readonly guarantee: Guarantee | null;
  readonly wanted: Quorum;
}

export type SyncStep =
  /** Then a barrier: only after it PostgreSQL acknowledges by nothing else. */
  | { readonly kind: "setting"; readonly quorum: Quorum }
  /**
   * `needsProof`: what was acknowledged until now is not on the new members by what the record has
   * promised so far; they must be seen to have all of it first.
   */
  | { readonly kind: "record"; readonly guarantee: Guarantee | null; readonly needsProof: boolean };

/** Whether nobody wants synchronous replication, and the record promises nothing of it any more. */
export function isSyncOff({ sync }: Pick<ClusterRecord, "sync">): boolean {
  return sync.mode === "off" && sync.guarantee === null;
}

/**
 * Null when everything is as it is wanted. What the record promises is weakened before PostgreSQL
 * waits for less, and strengthened after it waits for more and all WAL until then is proven to be
 * there.
 */
export function nextSyncStep({ setting, guarantee, wanted }: SyncSituation): SyncStep | null {
  const promised = guarantee ?? NOBODY;
  if (!implies(wanted, promised)) {
    const required = Math.min(promised.required, wanted.required);
    const weaker = quorumOf(required, [...promised.members, ...wanted.members]);
    return recordStep(guarantee, weaker);
  }
  if (!isSameQuorum(setting, wanted)) return { kind: "setting", quorum: wanted };
  const isVouchedFor = guarantee === null || guarantee.renewed.length === 0;
  return isSameQuorum(promised, wanted) && isVouchedFor ? null : recordStep(guarantee, wanted);
}

function recordStep(guarantee: Guarantee | null, next: Quorum): SyncStep {
  const renewed = guarantee?.renewed.filter((name) => next.members.includes(name)) ?? [];
  const isSame = guarantee !== null && isSameQuorum(guarantee, next);
  // The same once more: to prove it for members whose data is a newer copy.
  const needsProof = isSame || !implies(guarantee ?? NOBODY, next);
  const kept = needsProof ? [] : renewed;
  const isNone = next.required === 0;
  return { kind: "record", guarantee: isNone ? null : { ...next, renewed: kept }, needsProof };
}

export interface SyncView {
  /** How many standbys a commit is wanted on, and what is to be done where there are fewer. */
  readonly policy: SyncPolicy;
  /** How many are required by what is in force. */
  readonly inForce: number;
  /**
   * How many commits wait for now: more, where that was raised and is not promised yet. Standbys
   * may connect anew for it, and are away for a moment.
   */
  readonly waitsFor: number;
  /** Members that stream, or did until a moment ago: who is away for longer is not among them. */
  readonly live: readonly string[];
  /** Of these, who has nearly all WAL: a commit would not have to wait for it to catch up. */
  readonly ready: readonly string[];
  /** Fewer have streamed than are required, and for long enough to count. */
  readonly isShort: boolean;
}

/**
 * What PostgreSQL is to wait for; null: it stays as it is for now.
 *
 * All that stream are in the set, and who is away is not: while the leader lives it costs nothing,
 * and a failover needs to see fewer. Only where too few are left nobody is taken out, as that could
 * not be proven. What is required rises only when so many have caught up; by itself it falls only
 * where the policy is to degrade.
 */
export function wantedQuorum(view: SyncView): Quorum | null {
  const { policy, inForce, waitsFor, live, ready, isShort } = view;
  if (policy.mode === "off") return NOBODY;
  const { required, whenUnavailable } = policy;
  const kept = Math.min(inForce, required);
  const raised = waitsFor <= live.length ? Math.min(waitsFor, required) : 0;
  if (whenUnavailable === "block") {
    const risen = ready.length >= required ? required : Math.max(kept, raised);
    return live.length >= risen ? quorumOf(risen, live) : null;
  }
  const lasting = Math.min(Math.max(kept, raised), live.length);
  const possible = Math.min(required, Math.max(ready.length, lasting));
  if (possible < kept && !isShort) return null;
  return quorumOf(possible, live);
}

/**
 * Whether commits may wait for this member: what it confirms must count at once, and it must be
 * able to lead, as whoever has the commits is to be the next primary.
 */
export function mayConfirm(record: ClusterRecord, member: string): boolean {
  if (record.members[member]?.tags.nofailover === true || isFenced(record, member)) return false;
  return maySynchronize(record, member);
}
