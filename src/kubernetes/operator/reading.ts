// What there is of a cluster in the Kubernetes API, read at one moment: its objects, its pods, the
// volumes behind its claims, and what of its neighbours concerns it.
import type { KubernetesApi, ObjectPlace } from "../../kubernetes-api/api.ts";
import { kindOfObject, PERSISTENT_VOLUME, POD } from "../../kubernetes-api/kinds.ts";
import type { PodObject } from "../../kubernetes-api/pod-end.ts";
import type { KubernetesObject, ResourceKind } from "../../kubernetes-api/resource.ts";
import type { PersistentVolume } from "../failure-domains/volume-domains.ts";
import { objectKey } from "../objects/cluster-objects.ts";
import type { Surroundings } from "../objects/manifest.ts";
import { CLUSTER_LABEL } from "../objects/names.ts";
import type { PostgresClusterStatus } from "../resource/status-schema.ts";

export interface ClusterObject extends KubernetesObject {
  readonly spec?: unknown;
  readonly status?: PostgresClusterStatus;
}

export interface PodSeen extends PodObject {
  readonly spec?: { readonly nodeName?: string };
  readonly status?: NonNullable<PodObject["status"]> & {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

export interface ClaimSeen extends KubernetesObject {
  readonly spec?: { readonly volumeName?: string };
}

export interface Reading {
  /** By objectKey. */
  readonly present: ReadonlyMap<string, KubernetesObject>;
  /** By their names. */
  readonly pods: ReadonlyMap<string, PodSeen>;
  /** Of the same namespace, of any cluster. */
  readonly statefulSets: readonly KubernetesObject[];
}

/** Secrets and the record are no part of it: those are read by name. */
export function listedKinds({ has }: Pick<Surroundings, "has">): ResourceKind[] {
  return [
    kindOf("v1", "ConfigMap"),
    kindOf("v1", "ServiceAccount"),
    kindOf("v1", "Service"),
    kindOf("v1", "PersistentVolumeClaim"),
    kindOf(`discovery.k8s.io/${has.discoveryV1 ? "v1" : "v1beta1"}`, "EndpointSlice"),
    kindOf(`policy/${has.policyV1 ? "v1" : "v1beta1"}`, "PodDisruptionBudget"),
    kindOf("networking.k8s.io/v1", "NetworkPolicy"),
    kindOf("rbac.authorization.k8s.io/v1", "Role"),
    kindOf("rbac.authorization.k8s.io/v1", "RoleBinding"),
  ];
}

export const STATEFUL_SET = kindOf("apps/v1", "StatefulSet");

export function kindOf(apiVersion: string, kind: string): ResourceKind {
  return kindOfObject({ apiVersion, kind, metadata: { name: "" } });
}

export async function readObjects(
  api: KubernetesApi,
  of: { place: Required<Pick<ObjectPlace, "name" | "namespace">>; kinds: readonly ResourceKind[] },
  signal: AbortSignal,
): Promise<Reading> {
  const { name, namespace } = of.place;
  const own = { namespace, labelSelector: `${CLUSTER_LABEL}=${name}` };
  const [lists, pods, statefulSets] = await Promise.all([
    Promise.all(of.kinds.map((kind) => api.list(kind, own, { signal }))),
    api.list<PodSeen>(POD, own, { signal }),
    api.list(STATEFUL_SET, { namespace, labelSelector: CLUSTER_LABEL }, { signal }),
  ]);
  const ownSets = statefulSets.items.filter(
    ({ metadata }) => metadata.labels?.[CLUSTER_LABEL] === name,
  );
  const all = [...lists.flatMap(({ items }) => items), ...ownSets];
  return {
    present: new Map(all.map((each) => [objectKey(each), each])),
    pods: new Map(pods.items.map((pod) => [pod.metadata.name, pod])),
    statefulSets: statefulSets.items,
  };
}

/** The volumes of claims that are bound, and which claims there are not at all. */
export async function readVolumes(
  api: KubernetesApi,
  of: { namespace: string; claims: readonly string[] },
  signal: AbortSignal,
): Promise<{ volumes: Map<string, PersistentVolume>; missing: string[] }> {
  const volumes = new Map<string, PersistentVolume>();
  const missing: string[] = [];
  const kind = kindOf("v1", "PersistentVolumeClaim");
  for (const name of new Set(of.claims)) {
    const place = { namespace: of.namespace, name };
    const claim = await api.get<ClaimSeen>(kind, place, { signal });
    if (claim === null) missing.push(name);
    const bound = claim?.spec?.volumeName;
    if (bound === undefined || bound === "") continue;
    const volume = await api.get<PersistentVolume>(PERSISTENT_VOLUME, { name: bound }, { signal });
    if (volume !== null) volumes.set(name, volume);
  }
  return { volumes, missing };
}
