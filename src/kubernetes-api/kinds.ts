// The kinds of objects that Understudy deals with, in the versions that it asks for first.
import { assert } from "../core/errors.ts";
import type { KubernetesObject, ResourceKind } from "./resource.ts";

export const LEASE = kindOf("coordination.k8s.io/v1", { kind: "Lease", plural: "leases" });
export const POD = kindOf("v1", { kind: "Pod", plural: "pods" });
export const POSTGRES_CLUSTER = kindOf("understudy.dev/v1alpha1", {
  kind: "PostgresCluster",
  plural: "postgresclusters",
});

export const PERSISTENT_VOLUME = clusterWide("v1", {
  kind: "PersistentVolume",
  plural: "persistentvolumes",
});
export const EVENT = kindOf("events.k8s.io/v1", { kind: "Event", plural: "events" });

const NETWORKING = "networking.k8s.io/v1";
const RIGHTS = "rbac.authorization.k8s.io/v1";

const KINDS: readonly ResourceKind[] = [
  LEASE,
  POD,
  POSTGRES_CLUSTER,
  PERSISTENT_VOLUME,
  EVENT,
  clusterWide("v1", { kind: "Namespace", plural: "namespaces" }),
  clusterWide("apiextensions.k8s.io/v1", {
    kind: "CustomResourceDefinition",
    plural: "customresourcedefinitions",
  }),
  clusterWide(RIGHTS, { kind: "ClusterRole", plural: "clusterroles" }),
  clusterWide(RIGHTS, { kind: "ClusterRoleBinding", plural: "clusterrolebindings" }),
  kindOf("apps/v1", { kind: "Deployment", plural: "deployments" }),
  kindOf("apps/v1", { kind: "StatefulSet", plural: "statefulsets" }),
  kindOf("v1", { kind: "Service", plural: "services" }),
  kindOf("v1", { kind: "Event", plural: "events" }),
  kindOf("v1", { kind: "ConfigMap", plural: "configmaps" }),
  kindOf("v1", { kind: "Secret", plural: "secrets" }),
  kindOf("v1", { kind: "ServiceAccount", plural: "serviceaccounts" }),
  kindOf("v1", { kind: "PersistentVolumeClaim", plural: "persistentvolumeclaims" }),
  kindOf("discovery.k8s.io/v1", { kind: "EndpointSlice", plural: "endpointslices" }),
  kindOf("discovery.k8s.io/v1beta1", { kind: "EndpointSlice", plural: "endpointslices" }),
  kindOf("policy/v1", { kind: "PodDisruptionBudget", plural: "poddisruptionbudgets" }),
  kindOf("policy/v1beta1", { kind: "PodDisruptionBudget", plural: "poddisruptionbudgets" }),
  kindOf(NETWORKING, { kind: "NetworkPolicy", plural: "networkpolicies" }),
  kindOf(RIGHTS, { kind: "Role", plural: "roles" }),
  kindOf(RIGHTS, { kind: "RoleBinding", plural: "rolebindings" }),
];

/** Of an object that is ours to make. */
export function kindOfObject({ apiVersion, kind }: KubernetesObject): ResourceKind {
  const found = KINDS.find((each) => each.kind === kind && each.apiVersion === apiVersion);
  assert(found !== undefined, `${kind} of ${apiVersion} is among the kinds`);
  return found;
}

function kindOf(apiVersion: string, of: { kind: string; plural: string }): ResourceKind {
  return { apiVersion, ...of };
}

function clusterWide(apiVersion: string, of: { kind: string; plural: string }): ResourceKind {
  return { ...kindOf(apiVersion, of), isClusterWide: true };
}
