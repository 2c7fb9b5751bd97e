// Bringing a change to all members of a cluster that runs: one at a time, standbys first, and the
// primary last, after it has handed over. Pure: what is to be done next, from what there is now. So
// it does not matter who did the step before, nor whether that one is still there.

export interface RolloutMember {
  readonly name: string;
  /** Whether its pod is what it is to be. */
  readonly isCurrent: boolean;
  /** Takes connections, and as a standby streams. */
  readonly isReady: boolean;
  /**
   * It copies, rewinds, recovers or starts, or may do so as far as is known: whoever interrupts
   * that has it begin anew.
   */
  readonly isBusy: boolean;
  readonly isPrimary: boolean;
  /** Whether it may be handed the lease (no tag forbids it). */
  readonly mayLead: boolean;
  /** Among those that could be handed the lease now, 0 for the best; null: it is none of them. */
  readonly heirRank: number | null;
  /** A primary for which nobody else can do what it waits for: its turn comes where it is. */
  readonly staysPrimary: boolean;
  /** Its agent has the present specification, and has given it to its server. */
  readonly isTold: boolean;
}

export type RolloutStep =
  | { readonly kind: "done" }
  | { readonly kind: "wait"; readonly why: string }
  /** Its pod is to be deleted; its StatefulSet makes it anew. */
  | { readonly kind: "replace"; readonly member: string }
  | { readonly kind: "switchover"; readonly from: string; readonly to: string };

/** @param members in the order of their names; the last of the standbys is the first to go */
export function nextStep(members: readonly RolloutMember[]): RolloutStep {
  const outdated = members.filter(({ isCurrent }) => !isCurrent);
  const untold = members.find(({ isTold }) => !isTold);
  const late = { kind: "wait", why: `${untold?.name} has not been told of it yet` } as const;
  if (outdated.length === 0) return untold === undefined ? { kind: "done" } : late;
  // One that is down already is not taken down by being replaced, and may be down for what it is.
  const broken = outdated.findLast(
    ({ isReady, isBusy, isPrimary }) => !isReady && !isBusy && !isPrimary,
  );
  const primary = members.find(({ isPrimary }) => isPrimary);
  if (primary === undefined && broken === undefined)
    return { kind: "wait", why: "there is no primary" };
  if (broken !== undefined) return { kind: "replace", member: broken.name };
  const away = members.find(({ isReady }) => !isReady);
  if (away !== undefined) return { kind: "wait", why: `${away.name} is not ready` };
  const standby = outdated.findLast(({ isPrimary }) => !isPrimary);
  if (standby !== undefined) return { kind: "replace", member: standby.name };
  // It might hand over to one that is to be restarted as soon as it is told.
  return untold === undefined ? lastStep(outdated, members) : late;
}

/** The primary alone is left. */
function lastStep(
  [primary]: readonly RolloutMember[],
  members: readonly RolloutMember[],
): RolloutStep {
  if (primary === undefined) return { kind: "done" };
  if (primary.staysPrimary) return { kind: "replace", member: primary.name };
  const others = members.filter(({ isPrimary, mayLead }) => !isPrimary && mayLead);
  // Nobody can take its part: it is away for as long as its pod takes to come back.
  if (others.length === 0) return { kind: "replace", member: primary.name };
  const [heir] = others
    .flatMap(({ name, heirRank }) => (heirRank === null ? [] : [{ name, heirRank }]))
    .toSorted((one, other) => one.heirRank - other.heirRank);
  return heir === undefined
    ? { kind: "wait", why: `no standby is near enough to take the part of ${primary.name}` }
    : { kind: "switchover", from: primary.name, to: heir.name };
}
