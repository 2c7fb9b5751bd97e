// What the agents may do in the Kubernetes API: change their own cluster's record and endpoints,
// and read their own pods. Each object is named; there is nothing that they may create or list.
import type { PostgresCluster } from "../resource/postgres-cluster.ts";
import { manifest, type Manifest } from "./manifest.ts";
import { agentsName, memberNames, podName, serviceName } from "./names.ts";
import { LED_SERVICES } from "./services.ts";

const GROUP = "rbac.authorization.k8s.io";

export function rights(cluster: PostgresCluster): Manifest[] {
  const name = agentsName(cluster.name);
  return [
    manifest(cluster, { apiVersion: "v1", kind: "ServiceAccount", name, body: {} }),
    manifest(cluster, {
      apiVersion: `${GROUP}/v1`,
      kind: "Role",
      name,
      body: { rules: rulesOf(cluster) },
    }),
    manifest(cluster, {
      apiVersion: `${GROUP}/v1`,
      kind: "RoleBinding",
      name,
      body: {
        roleRef: { apiGroup: GROUP, kind: "Role", name },
        subjects: [{ kind: "ServiceAccount", name, namespace: cluster.namespace }],
      },
    }),
  ];
}

function rulesOf(cluster: PostgresCluster) {
  return [
    // To list and to watch one object by its name counts as reading that object.
    rule("coordination.k8s.io", {
      resource: "leases",
      names: [cluster.name],
      verbs: ["get", "list", "watch", "patch"],
    }),
    rule("discovery.k8s.io", {
      resource: "endpointslices",
      names: LED_SERVICES.map((role) => serviceName(cluster.name, role)),
      verbs: ["get", "patch"],
    }),
    rule("", { resource: "pods", names: memberNames(cluster).map(podName), verbs: ["get"] }),
  ];
}

function rule(group: string, of: { resource: string; names: string[]; verbs: string[] }) {
  const { resource, names, verbs } = of;
  return { apiGroups: [group], resources: [resource], resourceNames: names, verbs };
}
