// What all effects share: each is one bounded, repeatable step of a member, cancelled by its
// signal. An effect that is cut off at any moment must leave what the next one can go on from.
import type { ClusterRecord } from "../../core/record.ts";
import type { Decision } from "../../core/protocol/decide.ts";
import type { EffectKind } from "../../core/protocol/rules.ts";
import type { Member } from "../member.ts";

/**
 * `M` is what the effect touches of a member; one that touches little runs in the simulation too.
 */
export interface EffectContext<M = Member> {
  readonly member: M;
  /** As it was when the effect was decided. */
  readonly record: ClusterRecord;
  readonly decision: Decision;
  readonly signal: AbortSignal;
}

export type Effect<M = Member> = (context: EffectContext<M>) => Promise<void>;

/** How each effect of the protocol is carried out on a member of kind `M`. */
export type Effects<M = Member> = Readonly<Record<Exclude<EffectKind, "wait">, Effect<M>>>;
