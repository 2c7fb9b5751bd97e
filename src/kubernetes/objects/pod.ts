// A member's pod: any PostgreSQL image, unmodified, with the agent brought along by an init
// container. It keeps to the `restricted` profile of pod security.
import { uidOf } from "../resource/postgres-cluster.ts";
import type { PostgresCluster } from "../resource/postgres-cluster.ts";
import type { Surroundings } from "./manifest.ts";
import {
  agentsName,
  certificateName,
  clusterLabels,
  clusterSelector,
  memberSelector,
  secretName,
  specificationName,
} from "./names.ts";
import { POD_MARK, podMark } from "./pod-mark.ts";
import type { MemberVolumes } from "./volumes.ts";

export const DATABASE_CONTAINER = "postgres";
export const DATABASE_PORT = { name: "postgresql", number: 5432 } as const;
export const AGENT_PORT = { name: "agent", number: 8008 } as const;

/** Within the pod. The cluster's directory is as it is on one machine (docs/architecture.md). */
export const PLACES = {
  agent: "/opt/understudy",
  cluster: "/var/lib/understudy",
  wal: "/var/lib/understudy/wal",
  told: "/etc/understudy",
  keys: "/run/understudy",
} as const;

export function podTemplate(
  cluster: PostgresCluster,
  of: { volumes: MemberVolumes; surroundings: Surroundings },
): Record<string, unknown> {
  const { volumes, surroundings } = of;
  const { spec, name } = cluster;
  const { member } = volumes;
  const { priorityClass, nodeSelector, tolerations } = spec.scheduling;
  return {
    metadata: {
      labels: { ...clusterLabels(cluster), ...memberSelector(name, { member }) },
      annotations: { [POD_MARK]: podMark(cluster, volumes) },
    },
    spec: {
      serviceAccountName: agentsName(name),
      automountServiceAccountToken: true,
      // Variables of every Service of the namespace, which nobody here reads.
      enableServiceLinks: false,
      terminationGracePeriodSeconds: spec.stopSeconds,
      securityContext: podSecurity(uidOf(spec.postgres)),
      imagePullSecrets: spec.postgres.pullSecrets.map((secret) => ({ name: secret })),
      initContainers: [bringAgent(cluster, surroundings)],
      containers: [database(cluster, volumes)],
      volumes: podVolumes(cluster, volumes),
      affinity: { podAntiAffinity: antiAffinity(cluster) },
      nodeSelector,
      tolerations,
      ...(priorityClass === undefined ? {} : { priorityClassName: priorityClass }),
    },
  };
}

function podSecurity(uid: number): Record<string, unknown> {
  return {
    runAsNonRoot: true,
    runAsUser: uid,
    runAsGroup: uid,
    fsGroup: uid,
    // Else the kubelet adds group write to PGDATA at each mount, and PostgreSQL does not start.
    fsGroupChangePolicy: "OnRootMismatch",
    seccompProfile: { type: "RuntimeDefault" },
  };
}

function containerSecurity(): Record<string, unknown> {
  return {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ["ALL"] },
  };
}

function bringAgent({ spec }: PostgresCluster, { agentImage }: Surroundings) {
  return {
    name: "bring-agent",
    image: agentImage,
    command: ["/understudy/bring", PLACES.agent],
    securityContext: containerSecurity(),
    // A pod asks for the most that one of its containers does: this adds nothing.
    resources: spec.resources,
    volumeMounts: [{ name: "agent", mountPath: PLACES.agent }],
  };
}

function database(cluster: PostgresCluster, volumes: MemberVolumes) {
  const { image, pullPolicy } = cluster.spec.postgres;
  return {
    name: DATABASE_CONTAINER,
    image,
    ...(pullPolicy === undefined ? {} : { imagePullPolicy: pullPolicy }),
    // In place of the image's own entry: the agent is the first process.
    command: [`${PLACES.agent}/agent`],
    env: environment(cluster, volumes),
    ports: [DATABASE_PORT, AGENT_PORT].map(({ name, number }) => ({
      name,
      containerPort: number,
      protocol: "TCP",
    })),
    resources: cluster.spec.resources,
    securityContext: containerSecurity(),
    // A takeover begins at once where this file tells whose end a kubelet has seen (pod-end.ts).
    terminationMessagePath: "/dev/termination-log",
    terminationMessagePolicy: "File",
    ...probes(),
    volumeMounts: mounts(volumes),
  };
}

/** Names and places; nothing that is secret. */
function environment({ name }: PostgresCluster, { member, wal }: MemberVolumes) {
  const given = {
    UNDERSTUDY_CLUSTER: name,
    UNDERSTUDY_MEMBER: member,
    UNDERSTUDY_DIR: PLACES.cluster,
    UNDERSTUDY_KEYS: PLACES.keys,
    ...(wal === null ? {} : { UNDERSTUDY_WAL_DIR: PLACES.wal }),
  };
  const asked = {
    UNDERSTUDY_NAMESPACE: "metadata.namespace",
    UNDERSTUDY_POD_ADDRESS: "status.podIP",
    UNDERSTUDY_NODE: "spec.nodeName",
  };
  return [
    ...Object.entries(given).map(([key, value]) => ({ name: key, value })),
    ...Object.entries(asked).map(([key, fieldPath]) => ({
      name: key,
      valueFrom: { fieldRef: { apiVersion: "v1", fieldPath } },
    })),
  ];
}

/**
 * They ask the agent and not PostgreSQL: a server in crash recovery, or a member that is being
 * copied, takes as long as it takes. Only an agent that hangs is started again.
 */
function probes(): Record<string, unknown> {
  return {
    startupProbe: {
      ...asking("/liveness"),
      periodSeconds: 1,
      timeoutSeconds: 2,
      failureThreshold: 60,
    },
    livenessProbe: {
      ...asking("/liveness"),
      periodSeconds: 10,
      timeoutSeconds: 5,
      failureThreshold: 3,
    },
    readinessProbe: {
      ...asking("/health"),
      periodSeconds: 2,
      timeoutSeconds: 2,
      failureThreshold: 2,
    },
  };
}

function asking(path: string) {
  return { httpGet: { path, port: AGENT_PORT.name, scheme: "HTTPS" } };
}

function mounts({ member, data, wal }: MemberVolumes) {
  return [
    { name: "data", mountPath: `${PLACES.cluster}/members/${member}`, ...within(data) },
    ...(wal === null ? [] : [{ name: "wal", mountPath: PLACES.wal, ...within(wal) }]),
    { name: "agent", mountPath: PLACES.agent, readOnly: true },
    { name: "told", mountPath: PLACES.told, readOnly: true },
    { name: "keys", mountPath: PLACES.keys },
    { name: "tmp", mountPath: "/tmp" },
    { name: "sockets", mountPath: "/var/run/postgresql" },
    // A container has 64 MB there, too little for parallel queries.
    { name: "shared-memory", mountPath: "/dev/shm" },
  ];
}

function within({ subPath }: { subPath: string }): { subPath?: string } {
  return subPath === "" ? {} : { subPath };
}

function podVolumes({ name }: PostgresCluster, { member, data, wal }: MemberVolumes) {
  return [
    { name: "data", ...existing(data.claim) },
    ...(wal === null ? [] : [{ name: "wal", ...existing(wal.claim) }]),
    { name: "agent", emptyDir: {} },
    { name: "tmp", emptyDir: {} },
    { name: "sockets", emptyDir: {} },
    { name: "shared-memory", emptyDir: { medium: "Memory" } },
    // PostgreSQL, and libpq more than it, want keys that nobody else may read: the agent copies
    // them.
    { name: "keys", emptyDir: { medium: "Memory", sizeLimit: "1Mi" } },
    { name: "told", projected: { defaultMode: 0o440, sources: told(name, { member }) } },
  ];
}

function existing(claim: string) {
  return { persistentVolumeClaim: { claimName: claim } };
}

/** Each in a file of its own, replaced by the kubelet when it changes. */
function told(cluster: string, { member }: { member: string }) {
  const named = (of: "superuser" | "app" | "agents" | "replication") => secretName(cluster, of);
  return [
    { configMap: { name: specificationName(cluster) } },
    fromSecret(named("superuser"), { password: "secrets/superuser" }),
    fromSecret(named("app"), { password: "secrets/application" }),
    fromSecret(named("agents"), { replication: "secrets/replication", token: "secrets/apiToken" }),
    fromSecret(certificateName(member), {
      "tls.crt": "tls/server.crt",
      "tls.key": "tls/server.key",
      "ca.crt": "tls/ca.crt",
    }),
    fromSecret(named("replication"), { "tls.crt": "tls/client.crt", "tls.key": "tls/client.key" }),
  ];
}

function fromSecret(name: string, items: Readonly<Record<string, string>>) {
  return { secret: { name, items: Object.entries(items).map(([key, path]) => ({ key, path })) } };
}

/** Two members on one node are one failure; who accepts that has them apart where there is room. */
function antiAffinity({ name, spec }: PostgresCluster): Record<string, unknown> {
  const term = (topologyKey: string) => ({
    labelSelector: { matchLabels: clusterSelector(name) },
    topologyKey,
  });
  const node = term("kubernetes.io/hostname");
  const zone = preferred(50, term("topology.kubernetes.io/zone"));
  return spec.acceptSharedFate
    ? { preferredDuringSchedulingIgnoredDuringExecution: [preferred(100, node), zone] }
    : {
        requiredDuringSchedulingIgnoredDuringExecution: [node],
        preferredDuringSchedulingIgnoredDuringExecution: [zone],
      };
}

function preferred(weight: number, podAffinityTerm: object) {
  return { weight, podAffinityTerm };
}
