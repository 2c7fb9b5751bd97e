// Pausing and resuming: while a cluster is paused nothing fails over by itself, and a person alone
// decides who leads.
import { setPaused } from "../core/record-changes.ts";
import { changeClusterRecord, type LocalCluster, type Outcome } from "./cluster.ts";
import { noteDecision } from "./decisions.ts";

/**
 * Takes effect with the record: also for agents that do not run now. Done twice it changes nothing.
 */
export async function pause(cluster: LocalCluster, paused: boolean): Promise<Outcome> {
  const changed = await changeClusterRecord(cluster, (record) => setPaused(record, paused));
  const { name } = cluster.place;
  const already = changed === null ? " already" : "";
  const what = paused
    ? `paused ${name}: nothing fails over by itself`
    : `resumed ${name}: a standby takes over when its primary fails`;
  const details = { from: { paused: !paused }, to: { paused } };
  const event = paused ? "paused" : "resumed";
  const note = changed === null ? "" : await noteDecision(cluster, { event, what, details });
  const summary = paused
    ? `${name} is paused${already}: nothing fails over by itself`
    : `${name} is not paused${changed === null ? "" : " any more"}: a standby takes over when its primary fails`;
  return {
    summary: `${summary}${note}`,
    facts: { paused, changed: changed !== null },
  };
}
