// What an agent answers about its member at GET /status and GET /reach. Unknown values are null,
// never a guess.
import type { API_VERSION } from "./spec.ts";

export type MemberRole = "primary" | "standby" | "none";

/** What a member is doing. "unreachable" is said of a member by others, never by its own agent. */
export const MEMBER_STATES = [
  "running",
  "streaming",
  "catching-up",
  "starting",
  "cloning",
  "rewinding",
  "stopped",
  "fenced",
  "failed",
  "unreachable",
] as const;
export type MemberState = (typeof MEMBER_STATES)[number];

export interface Progress {
  /** "initdb", "cloning", "verifying", "starting", "promoting", "recovering" … */
  readonly step: string;
  readonly bytesDone: number | null;
  readonly bytesTotal: number | null;
  readonly remainingSeconds: number | null;
}

/** One row of pg_stat_replication, seen from the member that sends. */
export interface ReplicationPeer {
  readonly applicationName: string;
  readonly state: string;
  readonly sentLsn: string | null;
  readonly writeLsn: string | null;
  readonly flushLsn: string | null;
  readonly replayLsn: string | null;
  readonly sync: "async" | "sync" | "quorum" | "potential";
}

/** A replication slot on the member's server, but for those that end with their connection. */
export interface SlotStatus {
  readonly name: string;
  readonly kind: "physical" | "logical";
  readonly active: boolean;
  /** WAL that it keeps from being removed; null: it keeps none. */
  readonly heldBytes: number | null;
  /** The server gave up what it stood for. */
  readonly lost: boolean;
  /** Logical, 17 and newer: the server carries it over to standbys. */
  readonly failover: boolean;
  /** On a standby: it is such a copy. */
  readonly synced: boolean;
}

/** What a member is and how far it has come: GET /reach, which costs its agent little. */
export interface MemberReach {
  readonly cluster: string;
  readonly name: string;
  readonly role: MemberRole;
  readonly state: Exclude<MemberState, "unreachable">;
  /** On which its WAL ends. */
  readonly timeline: number | null;
  /** Which began that timeline; 0 for the first, and where it is not known. */
  readonly timelineTerm: number;
  readonly flushLsn: string | null;
  readonly replayLsn: string | null;
}

export interface MemberStatus extends MemberReach {
  readonly apiVersion: typeof API_VERSION;
  readonly kind: "MemberStatus";
  /** One sentence where the state alone does not say why. */
  readonly reason: string | null;
  readonly agentPid: number;
  /** Of the postmaster. */
  readonly pid: number | null;
  readonly host: string;
  readonly port: number;
  readonly systemId: string | null;
  readonly postgresVersion: string | null;
  /** The term for which the member acts as primary, or that it follows. */
  readonly term: number | null;
  /** Of the specification that the running server has been given. */
  readonly generation: number | null;
  /**
   * Of the object that the specification was made from which its agent has read, where that comes
   * by other ways than the record: on Kubernetes.
   */
  readonly toldGeneration?: number;
  /** A primary's own write position; a standby's last received. */
  readonly writeLsn: string | null;
  /**
   * From where it would need WAL to follow another member: of a standby the end of what it has; of
   * a primary its newest checkpoint's redo position, because a rewind goes back to that. Null while
   * its server is down.
   */
  readonly needsWalFrom: string | null;
  /** 0 when everything received has been replayed, however idle the primary. */
  readonly replayLagSeconds: number | null;
  /** The member that this one streams from. */
  readonly upstream: string | null;
  readonly slot: string | null;
  readonly replication: readonly ReplicationPeer[];
  readonly slots: readonly SlotStatus[];
  readonly progress: Progress | null;
  /** Names of parameters whose new value waits for a restart. */
  readonly pendingRestart: readonly string[];
  /**
   * Of a primary: some of them become lower, which its standbys cannot before it has (lesson 30).
   * It is then restarted where it is, since whoever took its part would have the same to do.
   */
  readonly lowersFirst?: boolean;
  readonly warnings: readonly string[];
  /** What tells whether members share one failure domain: "8:1" and "/dev/sda1 on /". */
  readonly storage: { readonly device: string; readonly source: string } | null;
}
