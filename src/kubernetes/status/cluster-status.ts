// The status of a PostgresCluster: what its agents say of the cluster, and what stands in the way
// of the specification, as `kubectl get` and `kubectl wait` read it. Pure. It changes with what it
// says and not with each byte of WAL, so that nothing is written when nothing changes.
import { formatByteSize } from "../../core/byte-size.ts";
import type { ClusterMember, ClusterStatus } from "../../core/cluster-status.ts";
import { CLUSTER_LABEL, podName } from "../objects/names.ts";
import type { PostgresClusterStatus } from "../resource/status-schema.ts";
import { conditionsFrom } from "./conditions.ts";
import { findingsOf, isReady, phaseOf, type Observation } from "./findings.ts";

/** Lag below this is told as none, and above it in powers of two. */
const LAG_STEP_BYTES = 2 ** 20;

export function statusOf(
  observation: Observation,
  of: { before: PostgresClusterStatus | null; at: string },
): PostgresClusterStatus {
  const { cluster, summary } = observation;
  const findings = findingsOf(observation);
  const members = summary?.members ?? [];
  const standbys = members.filter(({ role }) => role === "standby").length;
  const lagBytes = coarse(Math.max(0, ...members.map(({ replayLagBytes }) => replayLagBytes ?? 0)));
  const { primary = null, timeline = null, postgresVersion = null } = summary ?? {};
  return {
    observedGeneration: cluster.generation,
    phase: phaseOf(findings),
    ready: `${members.filter(isReady).length}/${cluster.spec.standbys + 1}`,
    standbys,
    selector: `${CLUSTER_LABEL}=${cluster.name}`,
    ...(primary === null ? {} : { currentPrimary: primary }),
    ...(timeline === null ? {} : { timeline }),
    ...(postgresVersion === null ? {} : { version: postgresVersion }),
    ...(standbys === 0 ? {} : { lag: formatByteSize(lagBytes) }),
    sync: syncText(summary),
    members: members.map((member) => memberText(member, observation.nodes)),
    conditions: conditionsFrom(findings, {
      before: of.before?.conditions ?? [],
      at: of.at,
      generation: cluster.generation,
    }),
  };
}

function memberText(
  { name, role, state, reason, timeline, replayLagBytes }: ClusterMember,
  nodes: ReadonlyMap<string, string>,
): NonNullable<PostgresClusterStatus["members"]>[number] {
  const node = nodes.get(name);
  return {
    name,
    role,
    state: reason === null ? state : `${state}: ${reason}`,
    pod: podName(name),
    ...(node === undefined ? {} : { node }),
    ...(timeline === null ? {} : { timeline }),
    ...(replayLagBytes === null ? {} : { lagBytes: coarse(replayLagBytes) }),
  };
}

function syncText(summary: ClusterStatus | null): string {
  if (summary === null || summary.sync.mode === "off") return "off";
  const { guarantee } = summary.sync;
  return guarantee === null
    ? "nothing promised"
    : `${guarantee.required} of ${guarantee.members.length}`;
}

function coarse(bytes: number): number {
  if (bytes < LAG_STEP_BYTES) return 0;
  return LAG_STEP_BYTES * 2 ** Math.ceil(Math.log2(bytes / LAG_STEP_BYTES));
}
