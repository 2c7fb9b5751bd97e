// The kinds of objects that Understudy deals with.
import type { ResourceKind } from "./resource.ts";

export const LEASE: ResourceKind = {
  apiVersion: "coordination.k8s.io/v1",
  kind: "Lease",
  plural: "leases",
};
export const POD: ResourceKind = { apiVersion: "v1", kind: "Pod", plural: "pods" };
export const POSTGRES_CLUSTER: ResourceKind = {
  apiVersion: "understudy.dev/v1alpha1",
  kind: "PostgresCluster",
  plural: "postgresclusters",
};
