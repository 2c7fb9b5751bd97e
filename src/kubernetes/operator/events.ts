// What `kubectl describe` tells of a cluster: an event for what the operator does, and for what has
// become otherwise since the last status. Nothing is told twice. Pure, but for `eventObject`'s
// name.
import { randomBytes } from "node:crypto";
import type { KubernetesObject } from "../../kubernetes-api/resource.ts";
import { EVENT } from "../../kubernetes-api/kinds.ts";
import type { PostgresClusterStatus } from "../resource/status-schema.ts";

export interface EventText {
  readonly type: "Normal" | "Warning";
  /** In CamelCase, for programs; stays the same. */
  readonly reason: string;
  /** One sentence. */
  readonly note: string;
}

const CONTROLLER = "understudy.dev/operator";
/** What the API takes of a note. */
const NOTE_LIMIT = 1_000;

/** Which conditions are told when they become so. */
const TOLD: readonly { condition: string; status: string; event: Omit<EventText, "note"> }[] = [
  { condition: "Accepted", status: "False", event: { type: "Warning", reason: "NotPossible" } },
  { condition: "Blocked", status: "True", event: { type: "Warning", reason: "Blocked" } },
  { condition: "Ready", status: "True", event: { type: "Normal", reason: "Ready" } },
  { condition: "SharedFate", status: "True", event: { type: "Warning", reason: "SharedFate" } },
  {
    condition: "PrimaryAvailable",
    status: "False",
    event: { type: "Warning", reason: "NoPrimary" },
  },
  { condition: "SyncSatisfied", status: "False", event: { type: "Warning", reason: "SyncShort" } },
  { condition: "Paused", status: "True", event: { type: "Normal", reason: "Paused" } },
];

export function eventsBetween(
  before: PostgresClusterStatus | null,
  { after }: { after: PostgresClusterStatus },
): EventText[] {
  const events = TOLD.flatMap(({ condition, status, event }) => {
    const [was, is] = [before, after].map((each) =>
      each?.conditions?.find(({ type }) => type === condition),
    );
    // A cluster that was never told of has no primary because it is new.
    const isNews = is?.status === status && was?.status !== status;
    if (!isNews || (before === null && condition === "PrimaryAvailable")) return [];
    return [{ ...event, note: is.message }];
  });
  const [from, to] = [before?.currentPrimary, after.currentPrimary];
  if (from !== undefined && to !== undefined && from !== to)
    events.push({
      type: "Normal",
      reason: "PrimaryChanged",
      note: `${to} is the primary now, and ${from} was`,
    });
  return events;
}

/**
 * An object of events.k8s.io/v1.
 * @param of.at wall clock
 */
export function eventObject(
  text: EventText,
  of: { regarding: KubernetesObject; instance: string; at: Date },
): KubernetesObject & Readonly<Record<string, unknown>> {
  const { apiVersion, kind, metadata } = of.regarding;
  const { name, namespace = "default", uid } = metadata;
  return {
    apiVersion: EVENT.apiVersion,
    kind: EVENT.kind,
    metadata: { name: `${name}.${randomBytes(8).toString("hex")}`, namespace },
    // The API's form of a time has microseconds.
    eventTime: of.at.toISOString().replace("Z", "000Z"),
    reportingController: CONTROLLER,
    reportingInstance: of.instance,
    action: text.reason,
    reason: text.reason,
    type: text.type,
    note: text.note.slice(0, NOTE_LIMIT),
    regarding: { apiVersion, kind, name, namespace, ...(uid === undefined ? {} : { uid }) },
  };
}
