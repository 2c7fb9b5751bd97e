// The conditions of a PostgresCluster, in the conventions of the Kubernetes API: what each means,
// and that its time changes only with what it says.
import type { Condition } from "../resource/status-schema.ts";

/** Of each the meaning of "True". */
export const CONDITIONS = {
  Ready: "There is a primary, applications reach it, and every other member streams from it.",
  PrimaryAvailable: "A member takes writes.",
  Accepted: "The specification can be done, and is.",
  Blocked: "A member is not made or does not start before somebody does something.",
  Progressing: "Members are being made, changed or taken away.",
  Degraded: "It works, but not as it is meant to.",
  SyncSatisfied: "Commits are on as many standbys as is wanted.",
  SharedFate: "One failure may end several members: spec.acceptSharedFate.",
  Paused: "A person has paused it: nothing fails over.",
} as const;

export type ConditionType = keyof typeof CONDITIONS;

/** What is found now; when that began is found by comparing. */
export interface Finding {
  readonly type: ConditionType;
  readonly status: Condition["status"];
  /** In CamelCase, for programs. */
  readonly reason: string;
  /** For people; may change while the rest stays. */
  readonly message: string;
}

/**
 * @param of.at wall clock, RFC 3339 UTC, to the second as the API writes it
 * @param of.generation that the findings are about
 */
export function conditionsFrom(
  findings: readonly Finding[],
  of: { before: readonly Condition[]; at: string; generation: number },
): Condition[] {
  const { before, at, generation } = of;
  return findings.map(({ type, status, reason, message }) => {
    const last = before.find((each) => each.type === type);
    const lastTransitionTime = last?.status === status ? last.lastTransitionTime : at;
    return { type, status, reason, message, lastTransitionTime, observedGeneration: generation };
  });
}
