// Having as many members as is wanted: who is added to the record, who leaves it, and whose pod
// ends when it has left. Pure: what is to be done next, from what there is now.

export interface ScaleFacts {
  /** Names, in order; the highest numbers go first. */
  readonly wanted: readonly string[];
  /** Members in the record. */
  readonly inRecord: readonly string[];
  /** Members that have a StatefulSet. */
  readonly withSet: readonly string[];
  readonly primary: string | null;
  /** Standbys that could be handed the lease now, the best first. */
  readonly successors: readonly string[];
}

export type ScaleStep =
  | { readonly kind: "done" }
  | { readonly kind: "wait"; readonly why: string }
  | { readonly kind: "switchover"; readonly from: string; readonly to: string }
  /** Out of the record: its agent then stops its server and keeps the data. */
  | { readonly kind: "remove"; readonly member: string }
  | { readonly kind: "delete-set"; readonly member: string }
  | { readonly kind: "add"; readonly member: string };

/**
 * One who leaves is out of the record before its pod ends, so that nobody waits for it, and the
 * primary hands over to one that stays before it leaves.
 */
export function nextScaleStep(facts: ScaleFacts): ScaleStep {
  const { wanted, inRecord, withSet } = facts;
  const leaving = inRecord.findLast((name) => !wanted.includes(name));
  if (leaving !== undefined) return leavingStep(leaving, facts);
  const left = withSet.findLast((name) => !wanted.includes(name));
  if (left !== undefined) return { kind: "delete-set", member: left };
  // Its pod is there first, so that nobody waits for one that cannot come.
  const coming = wanted.find((name) => !inRecord.includes(name) && withSet.includes(name));
  if (coming !== undefined) return { kind: "add", member: coming };
  const missing = wanted.find((name) => !withSet.includes(name));
  if (missing === undefined) return { kind: "done" };
  return { kind: "wait", why: `${missing} has no StatefulSet yet` };
}

function leavingStep(member: string, { wanted, primary, successors }: ScaleFacts): ScaleStep {
  // Whoever it is may be the one that has the newest commits.
  if (primary === null) return { kind: "wait", why: `${member} leaves when there is a primary` };
  if (member !== primary) return { kind: "remove", member };
  const to = successors.find((name) => wanted.includes(name));
  return to === undefined
    ? { kind: "wait", why: `${member} is the primary, and no member that stays can take its part` }
    : { kind: "switchover", from: member, to };
}
