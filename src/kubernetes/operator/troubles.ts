// What stands in the way of a cluster's members, read from the API where their pods do not tell it
// by themselves.
import { UnderstudyError } from "../../core/errors.ts";
import type { KubernetesApi } from "../../kubernetes-api/api.ts";
import type { KubernetesObject } from "../../kubernetes-api/resource.ts";
import { memberNames, podName } from "../objects/names.ts";
import {
  needsWarnings,
  troubleOf,
  type PodState,
  type Trouble,
  type WarningSeen,
} from "../status/pod-troubles.ts";
import type { Facts } from "./facts.ts";
import { kindOf } from "./reading.ts";

/** By this version they can be asked for by the object that they are about, in every Kubernetes. */
const EVENT = kindOf("v1", "Event");

interface EventSeen extends KubernetesObject {
  readonly involvedObject?: { readonly uid?: string };
  readonly reason?: string;
  readonly message?: string;
  readonly lastTimestamp?: string | null;
  readonly eventTime?: string | null;
}

/** In the order of the members. @throws UnderstudyError KUBERNETES_*. */
export async function readTroubles(
  api: KubernetesApi,
  facts: Omit<Facts, "volumes" | "summary" | "record">,
  signal: AbortSignal,
): Promise<Trouble[]> {
  const { cluster, reading, answers } = facts;
  const found = memberNames(cluster).map(async (member) => {
    const answer = answers.get(member);
    const set = reading.present.get(`StatefulSet ${member}`);
    const pod: PodState | null = reading.pods.get(podName(member)) ?? null;
    const seen = {
      member,
      namespace: cluster.namespace,
      pod,
      hasSet: set !== undefined,
      answers: answer !== undefined && !("unreachable" in answer),
    };
    const about = reading.pods.get(podName(member)) ?? set;
    const warnings =
      needsWarnings(seen) && about !== undefined ? await readWarnings(api, about, signal) : [];
    return troubleOf({ ...seen, warnings, nowMs: Date.now() });
  });
  return (await Promise.all(found)).filter((each) => each !== null);
}

/** An operator that may not read events, as one that was installed earlier, knows of none. */
async function readWarnings(
  api: KubernetesApi,
  { metadata }: KubernetesObject,
  signal: AbortSignal,
): Promise<WarningSeen[]> {
  const { name, namespace = "", uid } = metadata;
  const fieldSelector = `involvedObject.name=${name},type=Warning`;
  try {
    const { items } = await api.list<EventSeen>(EVENT, { namespace, fieldSelector }, { signal });
    return items
      .filter(({ involvedObject }) => involvedObject?.uid === uid)
      .toSorted((one, other) => timeOf(other).localeCompare(timeOf(one)))
      .map(({ reason = "", message = "" }) => ({ reason, message }));
  } catch (thrown) {
    if (thrown instanceof UnderstudyError && thrown.code === "KUBERNETES_FORBIDDEN") return [];
    throw thrown;
  }
}

function timeOf({ lastTimestamp, eventTime }: EventSeen): string {
  return lastTimestamp ?? eventTime ?? "";
}
