// A switchover for later: kept in the record, and done by the primary's agent when its clock comes
// to that time. It survives restarts of everything, and ends with any other change of the primary.
import { UnderstudyError } from "../core/errors.ts";
import { describeScheduled } from "../core/protocol/schedule.ts";
import { cancelScheduled, isFenced, scheduleSwitchover } from "../core/record-changes.ts";
import type { ClusterRecord } from "../core/record.ts";
import {
  changeClusterRecord,
  readRecord,
  recordMember,
  type LocalCluster,
  type Outcome,
  type Plan,
} from "./cluster.ts";

export interface ScheduleRequest {
  readonly at: Date;
  /** Null: the best standby at that time. */
  readonly to: string | null;
}

/** @throws UnderstudyError NO_PRIMARY, MEMBER_NOT_FOUND or SWITCHOVER_REFUSED. */
export async function planSchedule(cluster: LocalCluster, request: ScheduleRequest): Promise<Plan> {
  const record = await readRecord(cluster);
  refuse(record, request);
  const scheduled = scheduledBy(request);
  const { facts } = outcomeOf(record, request);
  return {
    summary: `${describeScheduled(scheduled)} is to be done at ${momentOf(request.at)}`,
    steps: [
      ...replaced(record),
      `the agent of ${record.leader?.member ?? "the primary"} looks at that time whether it can end well, and does it`,
      "more than 5 minutes late, or refused then, it is not done; an event says why",
    ],
    facts,
  };
}

/**
 * @throws UnderstudyError NO_PRIMARY, MEMBER_NOT_FOUND or SWITCHOVER_REFUSED; nothing is changed.
 */
export async function schedule(cluster: LocalCluster, request: ScheduleRequest): Promise<Outcome> {
  let before: ClusterRecord | null = null;
  const written = await changeClusterRecord(cluster, (record) => {
    refuse(record, request);
    before = record;
    return scheduleSwitchover(record, scheduledBy(request));
  });
  const record = before ?? (await readRecord(cluster));
  const { summary, facts } = outcomeOf(record, request);
  return { summary, facts: { ...facts, changed: written !== null } };
}

/** Nothing scheduled is a success. */
export async function cancelSchedule(cluster: LocalCluster): Promise<Outcome> {
  const { scheduled } = await readRecord(cluster);
  const changed = await changeClusterRecord(cluster, cancelScheduled);
  return {
    summary:
      changed === null || scheduled === null
        ? "no switchover was scheduled"
        : `${describeScheduled(scheduled)} at ${scheduled.at} is cancelled`,
    facts: { changed: changed !== null, cancelled: changed === null ? null : scheduled },
  };
}

function refuse(record: ClusterRecord, { to }: ScheduleRequest): void {
  const leader = record.leader?.member;
  if (leader === undefined)
    throw new UnderstudyError(
      "NO_PRIMARY",
      `${record.cluster} has no primary that could hand over`,
    );
  if (to === null) return;
  recordMember(record, to);
  const why =
    to === leader ? "it is the primary already" : isFenced(record, to) ? "it is fenced" : null;
  if (why !== null)
    throw new UnderstudyError("SWITCHOVER_REFUSED", `cannot switch over to ${to}: ${why}`);
}

function scheduledBy({ at, to }: ScheduleRequest) {
  return { at: at.toISOString(), to };
}

function outcomeOf(record: ClusterRecord, request: ScheduleRequest): Outcome {
  const scheduled = scheduledBy(request);
  const instead = record.scheduled === null ? "" : `, instead of the one at ${record.scheduled.at}`;
  return {
    summary: `${describeScheduled(scheduled)} is scheduled for ${momentOf(request.at)}${instead}; to cancel it: understudy switchover --cancel`,
    facts: { scheduled, instead: record.scheduled },
  };
}

function replaced({ scheduled }: ClusterRecord): string[] {
  return scheduled === null
    ? []
    : [`${describeScheduled(scheduled)} at ${scheduled.at} is dropped`];
}

/** In UTC and as this machine's clock shows it. */
function momentOf(at: Date): string {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return `${at.toISOString()} (${at.toLocaleString("sv-SE")} in ${zone})`;
}
