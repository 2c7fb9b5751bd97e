// Whom a planned change of the primary is handed to where nobody was named: pure arithmetic over
// the standbys as the primary sees them. Everybody who is near enough will have everything by then,
// so that the priority goes before a lag that passes.
import { isDelayed } from "../cascade.ts";
import { compareNames } from "../name-order.ts";
import { isFenced } from "../record-changes.ts";
import type { ClusterRecord } from "../record.ts";

/** More than this and its replay would keep writers waiting. */
export const MAX_HAND_OVER_LAG_BYTES = 16 * 1024 * 1024;

export interface Standby {
  readonly name: string;
  readonly isStreaming: boolean;
  /** Null where it is not known. */
  readonly replayLagBytes: number | null;
}

/** @returns the best, or why there is none, as part of a sentence. */
export function chooseSuccessor(
  record: ClusterRecord,
  standbys: readonly Standby[],
): { readonly name: string } | { readonly name: null; readonly why: string } {
  const obstacles = standbys.map((standby) => ({ standby, why: whyNot(record, standby) }));
  const [best] = obstacles
    .flatMap(({ standby, why }) => (why === null ? [standby] : []))
    .toSorted(
      (one, other) =>
        priorityOf(record, other) - priorityOf(record, one) ||
        lagOf(one) - lagOf(other) ||
        compareNames(one.name, other.name),
    );
  if (best !== undefined) return { name: best.name };
  const why = obstacles.map(({ standby, why: reason }) => `${standby.name} ${reason}`).join(", ");
  return { name: null, why: why === "" ? "there is no standby" : why };
}

function whyNot(record: ClusterRecord, standby: Standby): string | null {
  if (isFenced(record, standby.name)) return "is fenced";
  if (record.members[standby.name]?.tags.nofailover === true) return "is set nofailover";
  if (isDelayed(record.members[standby.name])) return "is set to hold back what it receives";
  if (!standby.isStreaming) return "does not stream";
  if (standby.replayLagBytes === null) return "is behind by an unknown amount";
  if (standby.replayLagBytes > MAX_HAND_OVER_LAG_BYTES)
    return `is ${standby.replayLagBytes} bytes behind`;
  return null;
}

function priorityOf(record: ClusterRecord, { name }: Standby): number {
  return record.members[name]?.tags.priority ?? 0;
}

function lagOf({ replayLagBytes }: Standby): number {
  return replayLagBytes ?? Number.MAX_SAFE_INTEGER;
}
