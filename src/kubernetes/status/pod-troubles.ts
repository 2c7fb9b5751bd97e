// Why a member is not made or does not start, as its pod tells it: one sentence with its remedy for
// each. Pure. What comes and goes by the second (a kubelet's pauses, how often it tried) is left
// out, so that nothing is written when nothing has changed.
import { terminationLine } from "../../kubernetes-api/pod-end.ts";
import { DATABASE_CONTAINER } from "../objects/pod.ts";

export interface Trouble {
  readonly member: string;
  /** In CamelCase, for programs; Kubernetes' own word where it has one. */
  readonly reason: string;
  readonly message: string;
}

/** As the API has it; only what is read here. */
export interface PodState {
  readonly metadata: { readonly name: string; readonly deletionTimestamp?: string };
  readonly status?: {
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason?: string;
      readonly message?: string;
      readonly lastTransitionTime?: string;
    }[];
    readonly initContainerStatuses?: readonly ContainerSeen[];
    readonly containerStatuses?: readonly ContainerSeen[];
  };
}

interface ContainerSeen {
  readonly name: string;
  readonly image?: string;
  readonly ready?: boolean;
  readonly state?: StateSeen;
  readonly lastState?: StateSeen;
}

interface StateSeen {
  readonly waiting?: { readonly reason?: string; readonly message?: string };
  readonly terminated?: {
    readonly reason?: string;
    readonly exitCode?: number;
    readonly message?: string;
  };
}

/** What somebody has warned of an object, newest first. */
export interface WarningSeen {
  readonly reason: string;
  readonly message: string;
}

export interface MemberPod {
  readonly member: string;
  readonly namespace: string;
  /** Null: there is none. */
  readonly pod: PodState | null;
  /** Whether its StatefulSet is there, which makes the pod. */
  readonly hasSet: boolean;
  /** Whether its agent answers: then it tells by itself how it is. */
  readonly answers: boolean;
  /** Of its pod, and of its StatefulSet where there is no pod. */
  readonly warnings: readonly WarningSeen[];
  /** Wall clock, as that of the API: to let pass what each pod says at its beginning. */
  readonly nowMs: number;
}

const PULL = new Set([
  "ErrImagePull",
  "ImagePullBackOff",
  "ErrImageNeverPull",
  "RegistryUnavailable",
  "ImageInspectError",
]);
const CANNOT_BEGIN = new Set([
  "InvalidImageName",
  "CreateContainerConfigError",
  "CreateContainerError",
  "RunContainerError",
]);
/** A container is on its way with these, or its volumes or its network are not there. */
const ON_ITS_WAY = new Set(["ContainerCreating", "PodInitializing"]);
const MOUNT = new Set(["FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox"]);
const TEXT_LIMIT = 500;
const SCHEDULING_GRACE_MS = 10_000;

/** Whether warnings are to be read: they are only told where the pod itself does not. */
export function needsWarnings(seen: Pick<MemberPod, "pod" | "hasSet" | "answers">): boolean {
  const { pod, hasSet, answers } = seen;
  if (answers) return false;
  if (pod === null) return hasSet;
  return isOnItsWay(pod);
}

function isOnItsWay(pod: PodState): boolean {
  return containersOf(pod).some(({ state }) => ON_ITS_WAY.has(state?.waiting?.reason ?? ""));
}

/** Null: nothing is known to be in its way. */
export function troubleOf(seen: MemberPod): Trouble | null {
  const { member, pod } = seen;
  if (seen.answers) return null;
  if (pod === null) return seen.hasSet ? notMade(seen) : null;
  if (pod.metadata.deletionTimestamp !== undefined) return null;
  const found =
    notScheduled(pod, seen) ?? notBegun(pod) ?? notMounted(seen) ?? endsAgain(pod, seen);
  return found === null ? null : { member, reason: found.reason, message: cut(found.message) };
}

type Found = Omit<Trouble, "member">;

/** By a quota, by a policy: whoever refuses it says so to the StatefulSet. */
function notMade({ member, namespace, warnings }: MemberPod): Trouble | null {
  const found = warnings.find(({ reason }) => reason === "FailedCreate");
  if (found === undefined) return null;
  const remedy = /quota/i.test(found.message)
    ? "ask for less in spec.resources, or have the ResourceQuota raised"
    : `see: kubectl -n ${namespace} describe statefulset ${member}`;
  return {
    member,
    reason: "FailedCreate",
    message: cut(`its pod cannot be made (${found.message}): ${remedy}`),
  };
}

function notScheduled({ status }: PodState, { nowMs }: MemberPod): Found | null {
  const found = status?.conditions?.find(({ type }) => type === "PodScheduled");
  if (found?.status !== "False" || found.reason !== "Unschedulable") return null;
  // A volume is bound, or made, a moment after its pod: before that no node fits.
  if (nowMs - Date.parse(found.lastTransitionTime ?? "") < SCHEDULING_GRACE_MS) return null;
  const { message = "no node fits" } = found;
  return {
    reason: "FailedScheduling",
    message: `no node can run it (${message}): ${nodeRemedy(message)}`,
  };
}

const NODE_REMEDIES: readonly (readonly [RegExp, string])[] = [
  [
    /persistentvolumeclaim|persistent volumes?/i,
    "its claim has no volume; give a StorageClass that makes one, or a PersistentVolume that fits",
  ],
  [/Insufficient/, "ask for less in spec.resources.requests, or add a node"],
  [/affinity/, "add a node; or say acceptSharedFate: true where two members may share one"],
  [/taint/, "say spec.scheduling.tolerations, or take the taint away"],
  [/selector/, "correct spec.scheduling.nodeSelector, or label a node so"],
];

function nodeRemedy(message: string): string {
  return NODE_REMEDIES.find(([words]) => words.test(message))?.[1] ?? "see its pod's events";
}

function notBegun(pod: PodState): Found | null {
  for (const { name, image = "its image", state } of containersOf(pod)) {
    const { reason = "", message = "" } = state?.waiting ?? {};
    const where =
      name === DATABASE_CONTAINER
        ? "check spec.postgres.image, pullPolicy and pullSecrets"
        : "check the operator's --agent-image";
    // The kubelet's two words for it take turns.
    if (PULL.has(reason))
      return {
        reason: "ImagePullBackOff",
        message: `the image ${image} cannot be pulled: ${where}; its pod's events say why`,
      };
    if (CANNOT_BEGIN.has(reason))
      return { reason, message: `its container ${name} cannot begin (${message}): ${where}` };
  }
  return null;
}

function notMounted({ pod, warnings }: MemberPod): Found | null {
  if (pod === null || !isOnItsWay(pod)) return null;
  const found = warnings.filter(({ reason }) => MOUNT.has(reason));
  // That it timed out says less than what it timed out over.
  const why =
    found.find(({ message }) => !message.startsWith("Unable to attach or mount")) ?? found[0];
  return why === undefined
    ? null
    : {
        reason: why.reason,
        message: `what it needs on its node is not there (${why.message}): see to the volume, the Secret or the server that it names`,
      };
}

/** Its agent ends again and again, or ended and has not answered since. */
function endsAgain(pod: PodState, { namespace }: MemberPod): Found | null {
  for (const { name, ready, state, lastState } of containersOf(pod)) {
    // Its kubelet has its agent's answer: then it is the operator that has none.
    if (ready === true) continue;
    const ended = state?.terminated ?? lastState?.terminated;
    if (ended === undefined || ended.exitCode === 0) continue;
    const words = lastWords(ended.message ?? "");
    if (ended.reason === "OOMKilled")
      return {
        reason: "OOMKilled",
        message: `its container ${name} had too little memory: raise spec.resources.limits.memory, or lower shared_buffers`,
      };
    // Killed from outside it says nothing, and is started again.
    const isLasting = state?.waiting?.reason === "CrashLoopBackOff";
    if (words === "" && !isLasting) continue;
    const silent = `its container ${name} ends with status ${ended.exitCode ?? "unknown"}; see: kubectl -n ${namespace} logs --previous ${pod.metadata.name} -c ${name}`;
    return { reason: "CrashLoopBackOff", message: words === "" ? silent : words };
  }
  return null;
}

/** What an agent writes at its end, after the line that names its run. */
export function lastWords(message: string): string {
  const mark = terminationLine("");
  return message
    .split("\n")
    .filter((line) => line.trim() !== "" && !line.startsWith(mark))
    .join(" ")
    .trim();
}

function containersOf({ status }: PodState): readonly ContainerSeen[] {
  return [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
}

function cut(text: string): string {
  return text.length <= TEXT_LIMIT ? text : `${text.slice(0, TEXT_LIMIT)} …`;
}
