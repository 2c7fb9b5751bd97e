// The status of a cluster as tests of what is made of it need it: sound, unless they say otherwise.
import type { ClusterMember, ClusterStatus } from "../../src/core/cluster-status.ts";
import { API_VERSION } from "../../src/core/spec.ts";

/** A standby that streams. */
export function sampleMember(name: string, change: Partial<ClusterMember> = {}): ClusterMember {
  return {
    name,
    role: "standby",
    state: "streaming",
    reason: null,
    host: "10.91.1.4",
    port: 5432,
    pid: 1,
    timeline: 2,
    writeLsn: null,
    flushLsn: null,
    replayLsn: null,
    receiveLagBytes: 0,
    replayLagBytes: 0,
    replayLagSeconds: 0,
    sync: "async",
    upstream: "izdb-1",
    delayMs: null,
    slot: null,
    progress: null,
    takesReads: true,
    fenced: false,
    settings: {},
    warnings: [],
    ...change,
  };
}

/** izdb-1 leads izdb-2 and izdb-3. */
export function sampleStatus(change: Partial<ClusterStatus> = {}): ClusterStatus {
  const primary = { role: "primary", state: "running", replayLagBytes: null } as const;
  return {
    apiVersion: API_VERSION,
    kind: "ClusterStatus",
    cluster: "izdb",
    state: "healthy",
    term: 3,
    systemId: "7300000000000000001",
    primary: "izdb-1",
    timeline: 2,
    postgresVersion: "18.4",
    members: [sampleMember("izdb-1", primary), sampleMember("izdb-2"), sampleMember("izdb-3")],
    endpoints: { write: "", read: "" },
    sync: { mode: "off", required: 1, whenUnavailable: "block", guarantee: null },
    warnings: [],
    ...change,
  };
}
