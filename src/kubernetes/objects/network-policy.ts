// Who may reach the members, where the network enforces it: each other, applications PostgreSQL
// alone, the operator the agents alone.
import type { PostgresCluster } from "../resource/postgres-cluster.ts";
import { manifest, type Manifest, type Surroundings } from "./manifest.ts";
import { clusterSelector } from "./names.ts";
import { AGENT_PORT, DATABASE_PORT } from "./pod.ts";

type Peer = Readonly<Record<string, unknown>>;

/** Set by the API server on every namespace, from 1.21 on. */
const NAMESPACE_LABEL = "kubernetes.io/metadata.name";

export function networkPolicy(cluster: PostgresCluster, surroundings: Surroundings): Manifest {
  const members = { podSelector: { matchLabels: clusterSelector(cluster.name) } };
  const { operatorNamespace } = surroundings;
  return manifest(cluster, {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    name: cluster.name,
    body: {
      spec: {
        ...members,
        policyTypes: ["Ingress"],
        ingress: [
          { from: [members], ports: [portOf(DATABASE_PORT), portOf(AGENT_PORT)] },
          { ...applications(cluster), ports: [portOf(DATABASE_PORT)] },
          ...(operatorNamespace === null
            ? []
            : [{ from: [namespace(operatorNamespace)], ports: [portOf(AGENT_PORT)] }]),
        ],
      },
    },
  });
}

/**
 * A service that is open to the outside is meant for clients whose addresses a policy often does
 * not see (the node's stands for them): it is narrowed by who says from where they come.
 */
function applications({ spec }: PostgresCluster): { from?: readonly Peer[] } {
  const isOpen = Object.values(spec.services).some(({ type }) => type !== "ClusterIP");
  if (isOpen && spec.access.length === 0) return {};
  const named = spec.access.map(({ cidr, namespace: name = "" }) =>
    cidr === undefined ? namespace(name) : { ipBlock: { cidr } },
  );
  return { from: [{ podSelector: {} }, ...named] };
}

function namespace(name: string): Peer {
  return { namespaceSelector: { matchLabels: { [NAMESPACE_LABEL]: name } } };
}

function portOf({ number }: { number: number }) {
  return { protocol: "TCP", port: number };
}
