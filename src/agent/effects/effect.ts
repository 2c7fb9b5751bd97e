// What all effects share: each is one bounded, repeatable step of a member, cancelled by its
// signal. An effect that is cut off at any moment must leave what the next one can go on from.
import type { ClusterRecord } from "../../core/record.ts";
import type { Decision } from "../../core/protocol/decide.ts";
import type { Member } from "../member.ts";

export interface EffectContext {
  readonly member: Member;
  /** As it was when the effect was decided. */
  readonly record: ClusterRecord;
  readonly decision: Decision;
  readonly signal: AbortSignal;
}

export type Effect = (context: EffectContext) => Promise<void>;
