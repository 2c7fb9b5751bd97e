// What `understudy kubernetes install` puts into a Kubernetes cluster: the definition of
// PostgresCluster, and the operator with the rights that it needs and no others.
import type { KubernetesObject } from "../../kubernetes-api/resource.ts";
import { POSTGRES_CLUSTER } from "../../kubernetes-api/kinds.ts";
import { customResourceDefinition } from "../resource/crd.ts";

type ClusterWide = KubernetesObject & Readonly<Record<string, unknown>>;

export interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

const NAME = "understudy-operator";
const RIGHTS = "rbac.authorization.k8s.io";
const LABELS = { "app.kubernetes.io/name": NAME, "app.kubernetes.io/part-of": "understudy" };
const HTTP_PORT = 8080;
/** To make an object what it is to be, and to notice when it is not any more. */
const KEEP = ["get", "list", "watch", "create", "patch"];

/**
 * In the order in which they are to be made.
 * @param of.hasRules see customResourceDefinition
 */
export function operatorObjects(of: {
  image: string;
  namespace: string;
  hasRules: boolean;
}): ClusterWide[] {
  const { namespace } = of;
  const metadata = { name: NAME, labels: LABELS };
  return [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace, labels: LABELS } },
    customResourceDefinition(of),
    { apiVersion: "v1", kind: "ServiceAccount", metadata: { ...metadata, namespace } },
    { apiVersion: `${RIGHTS}/v1`, kind: "ClusterRole", metadata, rules: operatorRules() },
    {
      apiVersion: `${RIGHTS}/v1`,
      kind: "ClusterRoleBinding",
      metadata,
      roleRef: { apiGroup: RIGHTS, kind: "ClusterRole", name: NAME },
      subjects: [{ kind: "ServiceAccount", name: NAME, namespace }],
    },
    deployment(of),
  ];
}

/**
 * Kubernetes lets nobody give a right that he has not: what the agents may do (rights.ts) is among
 * these.
 */
export function operatorRules(): Rule[] {
  const [group = ""] = POSTGRES_CLUSTER.apiVersion.split("/");
  const { plural } = POSTGRES_CLUSTER;
  return [
    rule(group, { resources: [plural], verbs: ["get", "list", "watch"] }),
    rule(group, { resources: [`${plural}/status`], verbs: ["patch"] }),
    // Who names an owner that is to wait for its objects may have to be allowed to hold it up.
    rule(group, { resources: [`${plural}/finalizers`], verbs: ["update"] }),
    // What belongs to a cluster's object Kubernetes deletes with it. By the operator a member ends
    // that leaves, or that is made anew: nothing else.
    rule("apps", { resources: ["statefulsets"], verbs: [...KEEP, "delete"] }),
    rule("", { resources: ["services", "configmaps", "serviceaccounts"], verbs: KEEP }),
    // Neither listed nor watched: others' Secrets are none of its business.
    rule("", { resources: ["secrets"], verbs: ["get", "create", "patch"] }),
    rule("", { resources: ["persistentvolumeclaims"], verbs: KEEP }),
    rule("", { resources: ["persistentvolumes"], verbs: ["get"] }),
    rule("", { resources: ["pods"], verbs: ["get", "list", "watch", "delete"] }),
    rule("coordination.k8s.io", { resources: ["leases"], verbs: KEEP }),
    rule("discovery.k8s.io", { resources: ["endpointslices"], verbs: KEEP }),
    rule("policy", { resources: ["poddisruptionbudgets"], verbs: KEEP }),
    rule("networking.k8s.io", { resources: ["networkpolicies"], verbs: KEEP }),
    rule(RIGHTS, { resources: ["roles", "rolebindings"], verbs: KEEP }),
    rule("events.k8s.io", { resources: ["events"], verbs: ["create"] }),
    // Why a pod is not made, and what its node has not got, is told there alone.
    rule("", { resources: ["events"], verbs: ["list"] }),
  ];
}

function rule(group: string, of: { resources: string[]; verbs: string[] }): Rule {
  return { apiGroups: [group], ...of };
}

function deployment({ image, namespace }: { image: string; namespace: string }): ClusterWide {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: NAME, namespace, labels: LABELS },
    spec: {
      replicas: 1,
      selector: { matchLabels: LABELS },
      template: { metadata: { labels: LABELS }, spec: podSpec(image) },
    },
  };
}

function podSpec(image: string): Record<string, unknown> {
  const healthy = { httpGet: { path: "/liveness", port: HTTP_PORT } };
  return {
    serviceAccountName: NAME,
    enableServiceLinks: false,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: 65_532,
      seccompProfile: { type: "RuntimeDefault" },
    },
    containers: [
      {
        name: "operator",
        image,
        args: ["operator"],
        env: [
          // The agents that it brings into pods are of its own version.
          { name: "UNDERSTUDY_IMAGE", value: image },
          {
            name: "UNDERSTUDY_NAMESPACE",
            valueFrom: { fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" } },
          },
        ],
        ports: [{ name: "http", containerPort: HTTP_PORT, protocol: "TCP" }],
        livenessProbe: { ...healthy, periodSeconds: 10, failureThreshold: 3 },
        readinessProbe: { ...healthy, periodSeconds: 5 },
        resources: { requests: { cpu: "20m", memory: "96Mi" }, limits: { memory: "256Mi" } },
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ["ALL"] },
        },
      },
    ],
  };
}
