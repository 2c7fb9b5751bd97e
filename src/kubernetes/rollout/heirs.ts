// To whom a primary is to hand over before its pod goes: those that its own agent would take, the
// best first. Pure.
import type { ClusterStatus } from "../../core/cluster-status.ts";
import { chooseSuccessor } from "../../core/protocol/successor.ts";
import type { ClusterRecord } from "../../core/record.ts";

/** Nobody where no agent answers, there is no record, or none streams near enough. */
export function heirsInOrder(
  record: ClusterRecord | null,
  summary: Pick<ClusterStatus, "members"> | null,
): string[] {
  if (record === null || summary === null) return [];
  let left = summary.members
    .filter(({ role }) => role === "standby")
    .map(({ name, state, replayLagBytes }) => {
      return { name, isStreaming: state === "streaming", replayLagBytes };
    });
  const heirs: string[] = [];
  for (;;) {
    const { name } = chooseSuccessor(record, left);
    if (name === null) return heirs;
    heirs.push(name);
    left = left.filter((each) => each.name !== name);
  }
}
