// All objects of a cluster: what a PostgresCluster becomes. Pure: the same specification and the
// same surroundings make the same objects, in the order in which they are to be made.
import type { KubernetesObject } from "../../kubernetes-api/resource.ts";
import { parseByteSize } from "../../core/byte-size.ts";
import { LEASE } from "../../kubernetes-api/kinds.ts";
import { engineSpecification, type PostgresCluster } from "../resource/postgres-cluster.ts";
import { manifest, type Manifest, type Surroundings } from "./manifest.ts";
import { clusterSelector, memberNames, specificationName } from "./names.ts";
import { networkPolicy } from "./network-policy.ts";
import { rights } from "./rights.ts";
import { secrets, type ClusterPasswords } from "./secrets.ts";
import { endpointSlices, services } from "./services.ts";
import { statefulSets } from "./stateful-set.ts";
import { claims } from "./volumes.ts";

/**
 * Pods and nodes have addresses of these (RFC 1918, 6598, 4193); which of them, nobody tells a pod.
 * Whoever comes from there still needs a password, and may be kept away by the NetworkPolicy.
 */
const PRIVATE_NETWORKS = [
  "10.0.0.0/8",
  "172.16.0.0/12",
  "192.168.0.0/16",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "fc00::/7",
  "::1/128",
];

export interface ClusterObjects {
  /**
   * Made where they are not there, and then others': passwords are never changed by making them
   * again, and record and endpoints are what the agents say.
   */
  readonly founded: readonly Manifest[];
  /** Applied again and again: whatever else somebody makes of them is put back. */
  readonly applied: readonly Manifest[];
}

/** @param of.trusted who vouches for the servers, as a PEM file; null: it is not known now. */
export function clusterObjects(
  cluster: PostgresCluster,
  of: { passwords: ClusterPasswords; trusted: string | null; surroundings: Surroundings },
): ClusterObjects {
  const { surroundings } = of;
  return {
    founded: [...secrets(cluster, of), record(cluster), ...endpointSlices(cluster, surroundings)],
    applied: [
      specification(cluster),
      ...rights(cluster),
      networkPolicy(cluster, surroundings),
      disruptionBudget(cluster, surroundings),
      ...services(cluster),
      ...claims(cluster),
      ...statefulSets(cluster, surroundings),
    ],
  };
}

/** "StatefulSet izdb-1": no two objects of a cluster have the same. */
export function objectKey({ kind, metadata }: KubernetesObject): string {
  return `${kind} ${metadata.name}`;
}

/** Without a record in it: the first agent writes that. */
function record(cluster: PostgresCluster): Manifest {
  const { apiVersion, kind } = LEASE;
  return manifest(cluster, { apiVersion, kind, name: cluster.name, isKept: true, body: {} });
}

/** What the agents are told. The engine's own specification, and how the cluster is founded. */
function specification(cluster: PostgresCluster): Manifest {
  const { spec, name } = cluster;
  const founding = {
    members: memberNames(cluster),
    generation: cluster.generation,
    ttlMs: spec.leaseSeconds * 1_000,
    sync: spec.sync,
    // Where there is no object of it, there is no operator that brings changes of this there.
    keepsSync: cluster.uid === null,
    networks: [...PRIVATE_NETWORKS, ...accessNetworks(cluster)],
    maxLagBytes: parseByteSize(spec.services.read.maxLag ?? ""),
  };
  return manifest(cluster, {
    apiVersion: "v1",
    kind: "ConfigMap",
    name: specificationName(name),
    body: {
      data: {
        "specification.json": JSON.stringify(engineSpecification(cluster), null, 2),
        "founding.json": JSON.stringify(founding, null, 2),
      },
    },
  });
}

function accessNetworks({ spec }: PostgresCluster): string[] {
  return spec.access.flatMap(({ cidr }) => (cidr === undefined ? [] : [cidr]));
}

/** One member at a time: a drain waits until the one before it is back. */
function disruptionBudget(cluster: PostgresCluster, { has }: Surroundings): Manifest {
  return manifest(cluster, {
    apiVersion: has.policyV1 ? "policy/v1" : "policy/v1beta1",
    kind: "PodDisruptionBudget",
    name: cluster.name,
    body: {
      spec: { maxUnavailable: 1, selector: { matchLabels: clusterSelector(cluster.name) } },
    },
  });
}
