// The names and labels of a cluster's objects. They are made of the cluster's name and of nothing
// else, so that an object that was made once is found again, whatever becomes of the specification.
import { memberNameAt } from "../../core/name.ts";
import type { PostgresCluster } from "../resource/postgres-cluster.ts";

export const CLUSTER_LABEL = "understudy.dev/cluster";
export const MEMBER_LABEL = "understudy.dev/member";
const MANAGER = "understudy";

export type ServiceRole = "write" | "read" | "any";
/** As users of other operators know them. */
const SERVICE_SUFFIXES: Readonly<Record<ServiceRole, string>> = {
  write: "rw",
  read: "ro",
  any: "r",
};

/** "izdb-1", "izdb-2", …: the primary's place is not among them, it changes. */
export function memberNames({ name, spec }: PostgresCluster): string[] {
  return Array.from({ length: spec.standbys + 1 }, (_, index) => memberNameAt(name, index + 1));
}

/** A member's StatefulSet has its name, and one pod. */
export function podName(member: string): string {
  return `${member}-0`;
}

export function serviceName(cluster: string, role: ServiceRole): string {
  return `${cluster}-${SERVICE_SUFFIXES[role]}`;
}

/** Gives each pod a name in the DNS. */
export function membersServiceName(cluster: string): string {
  return `${cluster}-members`;
}

/** For a volume that is made for this member. */
export function claimName(member: string, of: "data" | "wal"): string {
  return `${member}-${of}`;
}

export function secretName(
  cluster: string,
  of: "superuser" | "app" | "agents" | "ca" | "replication",
): string {
  return `${cluster}-${of}`;
}

/** The Secret with a member's own certificate and key. */
export function certificateName(member: string): string {
  return `${member}-tls`;
}

export function specificationName(cluster: string): string {
  return `${cluster}-specification`;
}

/** The account, role and binding of its agents. */
export function agentsName(cluster: string): string {
  return `${cluster}-agents`;
}

/** What selects the cluster's pods, for ever: selectors of most objects cannot be changed. */
export function clusterSelector(cluster: string): Record<string, string> {
  return { [CLUSTER_LABEL]: cluster };
}

export function memberSelector(cluster: string, of: { member: string }): Record<string, string> {
  return { ...clusterSelector(cluster), [MEMBER_LABEL]: of.member };
}

/** Of every object of a cluster. */
export function clusterLabels({ name, major }: PostgresCluster): Record<string, string> {
  return {
    "app.kubernetes.io/name": "postgresql",
    "app.kubernetes.io/instance": name,
    "app.kubernetes.io/component": "database",
    "app.kubernetes.io/version": String(major),
    "app.kubernetes.io/managed-by": MANAGER,
    ...clusterSelector(name),
  };
}
