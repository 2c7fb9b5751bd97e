// What all builders of objects share: the frame of an object, and what they know beside the
// cluster's own specification.
import type { KubernetesObject, OwnerReference } from "../../kubernetes-api/resource.ts";
import { POSTGRES_CLUSTER } from "../../kubernetes-api/kinds.ts";
import type { PostgresCluster } from "../resource/postgres-cluster.ts";
import { clusterLabels } from "./names.ts";

export type Manifest = KubernetesObject & Readonly<Record<string, unknown>>;

/** Of where the cluster is to run. */
export interface Surroundings {
  /** That brings the agent and its runtime into every pod. */
  readonly agentImage: string;
  /** The end of names in the DNS. */
  readonly clusterDomain: string;
  /** Where the operator runs, which talks to the agents; null: there is none. */
  readonly operatorNamespace: string | null;
  /** Of pods and Services; IPv4 where it is left out. */
  readonly addressType?: "IPv4" | "IPv6";
  /** Kubernetes 1.21 and later have these as v1, older ones as v1beta1. */
  readonly has: {
    readonly policyV1: boolean;
    readonly discoveryV1: boolean;
  };
}

export const CURRENT_KUBERNETES: Surroundings["has"] = { policyV1: true, discoveryV1: true };

/**
 * @param of.body whatever the kind has beside its metadata
 * @param of.isKept true: it stays when the cluster's object is deleted, unless that says otherwise
 */
export function manifest(
  cluster: PostgresCluster,
  of: {
    apiVersion: string;
    kind: string;
    name: string;
    body: Readonly<Record<string, unknown>>;
    labels?: Readonly<Record<string, string>>;
    annotations?: Readonly<Record<string, string>>;
    isKept?: boolean;
  },
): Manifest {
  const { apiVersion, kind, name, body, labels = {}, annotations, isKept = false } = of;
  const owner = isKept && cluster.spec.deletionPolicy === "Retain" ? null : ownerOf(cluster);
  return {
    apiVersion,
    kind,
    metadata: {
      name,
      namespace: cluster.namespace,
      labels: { ...clusterLabels(cluster), ...labels },
      ...(annotations === undefined || Object.keys(annotations).length === 0
        ? {}
        : { annotations }),
      ...(owner === null ? {} : { ownerReferences: [owner] }),
    },
    ...body,
  };
}

/** Null where the cluster is no object of the API, but was written down as plain objects. */
function ownerOf({ name, uid }: PostgresCluster): OwnerReference | null {
  if (uid === null) return null;
  const { apiVersion, kind } = POSTGRES_CLUSTER;
  return { apiVersion, kind, name, uid, controller: true, blockOwnerDeletion: true };
}
