// Whether an object that has one of the cluster's names is the cluster's. Another operator may have
// a cluster of the same name in the namespace, and somebody's own Secret may be called like one of
// ours: what is not ours is neither changed nor used. Pure.
import type { KubernetesObject } from "../../kubernetes-api/resource.ts";
import { kindOfObject } from "../../kubernetes-api/kinds.ts";
import { objectKey } from "../objects/cluster-objects.ts";
import { CLUSTER_LABEL } from "../objects/names.ts";
import type { PostgresCluster } from "../resource/postgres-cluster.ts";

/** By its label, or by its owner where somebody has taken that label away. */
export function isOfCluster(live: KubernetesObject, { name, uid }: PostgresCluster): boolean {
  const { labels, ownerReferences = [] } = live.metadata;
  if (labels?.[CLUSTER_LABEL] === name) return true;
  return uid !== null && ownerReferences.some((owner) => owner.uid === uid);
}

/** One sentence, with its remedy. */
export function foreignObject(object: KubernetesObject, { name }: PostgresCluster): string {
  const { plural } = kindOfObject(object);
  const label = `kubectl label ${plural} ${object.metadata.name} ${CLUSTER_LABEL}=${name}`;
  return `${objectKey(object)} is there and is not of this cluster, so it is neither changed nor used, and no further member is begun: give the cluster another name, or delete it; where it was made for this cluster: ${label}`;
}
