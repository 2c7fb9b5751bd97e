// Where applications connect. Whom the write and the read service lead to is said by the leader's
// agent, in an EndpointSlice of each: a selector would follow labels, which somebody else would
// have to change first. The third one leads to every pod that is ready.
import type { PostgresCluster } from "../resource/postgres-cluster.ts";
import { manifest, type Manifest, type Surroundings } from "./manifest.ts";
import { clusterSelector, membersServiceName, serviceName, type ServiceRole } from "./names.ts";
import { AGENT_PORT, DATABASE_PORT } from "./pod.ts";

/** Of these the leader's agent keeps the endpoints. */
export const LED_SERVICES: readonly ServiceRole[] = ["write", "read"];

export function services(cluster: PostgresCluster): Manifest[] {
  return [
    membersService(cluster),
    service(cluster, "write"),
    service(cluster, "read"),
    service(cluster, "any"),
  ];
}

/**
 * Made once, without endpoints: what is in them is the agents' from then on.
 * @returns one for each service that the leader's agent leads.
 */
export function endpointSlices(cluster: PostgresCluster, surroundings: Surroundings): Manifest[] {
  const version = surroundings.has.discoveryV1 ? "v1" : "v1beta1";
  return LED_SERVICES.map((role) => {
    const name = serviceName(cluster.name, role);
    return manifest(cluster, {
      apiVersion: `discovery.k8s.io/${version}`,
      kind: "EndpointSlice",
      name,
      labels: {
        "kubernetes.io/service-name": name,
        "endpointslice.kubernetes.io/managed-by": "understudy.dev",
      },
      body: {
        addressType: surroundings.addressType ?? "IPv4",
        endpoints: [],
        ports: [{ name: DATABASE_PORT.name, port: DATABASE_PORT.number, protocol: "TCP" }],
      },
    });
  });
}

/** Also of pods that are not ready: they are to find each other before they are. */
function membersService(cluster: PostgresCluster): Manifest {
  return manifest(cluster, {
    apiVersion: "v1",
    kind: "Service",
    name: membersServiceName(cluster.name),
    body: {
      spec: {
        type: "ClusterIP",
        clusterIP: "None",
        publishNotReadyAddresses: true,
        selector: clusterSelector(cluster.name),
        ports: [DATABASE_PORT, AGENT_PORT].map(({ name, number }) => ({
          name,
          port: number,
          targetPort: name,
          protocol: "TCP",
        })),
      },
    },
  });
}

/**
 * The load balancer itself keeps out who is not named. PostgreSQL and the NetworkPolicy often see a
 * node's address in the client's place; the policy "Local", which would show them the client's,
 * lets only the node of the primary answer, and that changes.
 */
function sourceRanges({ spec }: PostgresCluster): { loadBalancerSourceRanges?: string[] } {
  const named = spec.access.flatMap(({ cidr }) => (cidr === undefined ? [] : [cidr]));
  return named.length === 0 ? {} : { loadBalancerSourceRanges: named };
}

function service(cluster: PostgresCluster, role: ServiceRole): Manifest {
  const { type, port, nodePort, annotations } = cluster.spec.services[role];
  const isLed = LED_SERVICES.includes(role);
  return manifest(cluster, {
    apiVersion: "v1",
    kind: "Service",
    name: serviceName(cluster.name, role),
    annotations,
    body: {
      spec: {
        type,
        ...(type === "LoadBalancer" ? sourceRanges(cluster) : {}),
        ...(isLed ? {} : { selector: clusterSelector(cluster.name) }),
        ports: [
          {
            name: DATABASE_PORT.name,
            port,
            targetPort: DATABASE_PORT.number,
            protocol: "TCP",
            ...(nodePort === undefined ? {} : { nodePort }),
          },
        ],
      },
    },
  });
}
