// The one thing that a pass does beside keeping objects: a step of scaling, else of a rolling
// change. Which it is is decided by pure functions; here it is chosen between them and carried out.
import { removeMember } from "../../core/record-changes.ts";
import { Secret } from "../../core/secret.ts";
import type { KubernetesApi } from "../../kubernetes-api/api.ts";
import { POD } from "../../kubernetes-api/kinds.ts";
import { changeRecord, type Store } from "../../store/store.ts";
import { podName } from "../objects/names.ts";
import { nextStep, type RolloutStep } from "../rollout/next-step.ts";
import { nextScaleStep, type ScaleStep } from "../rollout/scale-step.ts";
import type { Agents } from "./agents.ts";
import type { EventText } from "./events.ts";
import { onlyWaitsForRestart, rolloutMembers, scaleFacts, type Facts } from "./facts.ts";
import { STATEFUL_SET } from "./reading.ts";

/** A switchover ends within its own limits; so long for all of them. */
const HANDOVER_LIMIT_MS = 90_000;
const RESTART_LIMIT_MS = 300_000;

export type Step = ScaleStep | RolloutStep | { readonly kind: "restart"; readonly member: string };

/** Members come and go first: a rolling change wants all of them there. */
export function chooseStep(facts: Facts): Step {
  const scale = nextScaleStep(scaleFacts(facts));
  // Whoever comes enters the record by itself.
  const isComing = scale.kind === "add" || scale.kind === "wait";
  if (scale.kind !== "done" && !isComing) return scale;
  const rollout = nextStep(rolloutMembers(facts));
  if (rollout.kind === "replace" && onlyWaitsForRestart(facts, rollout.member))
    return { kind: "restart", member: rollout.member };
  if (rollout.kind !== "done") return rollout;
  if (scale.kind === "wait") return scale;
  return scale.kind === "add"
    ? { kind: "wait", why: `${scale.member} has not entered the cluster yet` }
    : rollout;
}

/** As the conditions tell it. */
export function toldAs(step: Step): RolloutStep {
  switch (step.kind) {
    case "remove":
    case "delete-set":
      return { kind: "wait", why: `${step.member} leaves the cluster` };
    case "add":
      return { kind: "wait", why: `${step.member} comes into the cluster` };
    case "restart":
      return { kind: "replace", member: step.member };
    default:
      return step;
  }
}

export interface Doing {
  readonly api: KubernetesApi;
  readonly agents: Agents;
  readonly store: Store;
  /** Null: the Secret is not there. */
  readonly token: Secret | null;
  /** Who vouches for the agents; null: nobody is known. */
  readonly trusted: string | null;
  readonly facts: Facts;
  readonly signal: AbortSignal;
}

/** @returns what to tell of it; null: nothing was done. */
export async function perform(doing: Doing, step: Step): Promise<EventText | null> {
  switch (step.kind) {
    case "done":
    case "wait":
    case "add":
      return null;
    case "remove":
      return remove(doing, step.member);
    case "delete-set":
      return deleteSet(doing, step.member);
    case "replace":
      return replacePod(doing, step.member);
    case "restart":
      return (await ask(doing, { member: step.member, path: "/restart", body: {} }))
        ? normal("Restarted", `${step.member} was restarted, for parameters that waited for it`)
        : null;
    case "switchover": {
      const { from, to } = step;
      return (await ask(doing, { member: from, path: "/switchover", body: { to } }))
        ? normal("SwitchedOver", `${from} has handed over to ${to}, so that it can be changed`)
        : null;
    }
  }
}

async function remove({ store }: Doing, member: string): Promise<EventText | null> {
  const removed = await changeRecord(store, (record) => removeMember(record, member));
  return removed === null
    ? null
    : normal("MemberRemoved", `${member} is no member any more; its data is kept`);
}

async function deleteSet({ api, facts, signal }: Doing, member: string): Promise<EventText | null> {
  const { namespace } = facts.cluster;
  const set = facts.reading.present.get(`StatefulSet ${member}`);
  const { uid } = set?.metadata ?? {};
  if (uid === undefined) return null;
  await api.delete(STATEFUL_SET, { namespace, name: member }, { uid, signal });
  return normal("ScaledDown", `${member} ends; its volume is kept`);
}

/** That very pod: one that was made meanwhile is not meant. */
async function replacePod(
  { api, facts, signal }: Doing,
  member: string,
): Promise<EventText | null> {
  const { namespace } = facts.cluster;
  const { metadata } = facts.reading.pods.get(podName(member)) ?? {};
  // One that ends already is replaced when it has ended.
  if (metadata?.uid === undefined || metadata.deletionTimestamp !== undefined) return null;
  const { name, uid } = metadata;
  await api.delete(POD, { namespace, name }, { uid, signal });
  return normal("Replacing", `the pod of ${member} is made anew, as the specification has changed`);
}

/** @returns whether it was asked, and has done so. What is missing is told by the conditions. */
async function ask(
  { agents, facts, token, trusted, signal }: Doing,
  of: { member: string; path: "/switchover" | "/restart"; body: Readonly<Record<string, unknown>> },
): Promise<boolean> {
  const place = facts.record?.members[of.member];
  if (place === undefined || token === null) return false;
  const timeoutMs = of.path === "/restart" ? RESTART_LIMIT_MS : HANDOVER_LIMIT_MS;
  const { member, path, body } = of;
  await agents.ask(place, { member, path, body, token, trusted, timeoutMs, signal });
  return true;
}

function normal(reason: string, note: string): EventText {
  return { type: "Normal", reason, note };
}
