// What the commands ask of a cluster on this machine: the shape that src/local/ provides. Commands load it only when
// they need it, so that help and mistakes in the command line are answered at once.
import type { ClusterStatus } from "../core/cluster-status.ts";
import type { Secret } from "../core/secret.ts";
import type { Major } from "../core/spec.ts";
import type { FindingGroup } from "./screens/doctor.ts";
import type { ClusterEvent } from "./screens/events.ts";
import type { UpStep } from "./screens/up.ts";
import type { Environment } from "./output/look.ts";

export interface ClusterPlace {
  readonly name: string;
  readonly dir: string;
}

/** A cluster that was found on disk; it may or may not run. */
export interface LocalCluster {
  readonly place: ClusterPlace;
}

/** How a changing command goes on. */
export interface Operation {
  readonly signal: AbortSignal;
  /** After this the outcome is unknown: UnderstudyError TIMED_OUT. */
  readonly timeoutMs: number;
  /** False: return as soon as the request is accepted. */
  readonly wait: boolean;
  /** One sentence for each thing that is done. */
  readonly onStep: (text: string) => void;
}

export interface UpOptions {
  readonly place: ClusterPlace;
  /** Null where nothing was said: 2 for a new cluster, what is there for an old one. */
  readonly standbys: number | null;
  readonly major: Major | null;
  readonly port: number | null;
  readonly pgBin: string | null;
  /** The account that PostgreSQL runs as when root starts it. */
  readonly user: string | null;
  readonly locale: string | null;
  readonly parameters: Readonly<Record<string, string>>;
  readonly preload: readonly string[];
  readonly adoptRecord: boolean;
  /** Return only when the signal comes, and stop the cluster then. */
  readonly foreground: boolean;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export interface UpResult {
  readonly status: ClusterStatus;
  /** Nothing had to be done. */
  readonly alreadyRunning: boolean;
}

/** What would be done, for --dry-run and before a confirmation. */
export interface Plan {
  readonly summary: string;
  readonly steps: readonly string[];
  /** Figures for programs: lagBytes, expectedPauseSeconds, lossBytes … */
  readonly facts: Readonly<Record<string, unknown>>;
}

/** What was done. */
export interface Outcome {
  readonly summary: string;
  readonly facts: Readonly<Record<string, unknown>>;
}

export interface ParameterRow {
  readonly name: string;
  /** As the server shows it; null where no server could be asked. */
  readonly value: string | null;
  readonly source: "user" | "understudy" | "default";
  /** Members on which the new value waits for a restart. */
  readonly pendingRestart: readonly string[];
  readonly description: string | null;
}

export interface LogLine {
  readonly member: string;
  readonly text: string;
}

export interface Deletion {
  readonly paths: readonly string[];
  readonly members: readonly string[];
  readonly bytes: number | null;
}

export interface LocalCommands {
  resolveClusterPlace(from: {
    name: string | undefined;
    dir: string | undefined;
    env: Environment;
    uid: number;
  }): ClusterPlace;
  /** Names of the clusters in the default place, for completion. */
  listClusters(from: { env: Environment; uid: number }): Promise<readonly string[]>;
  /** @throws UnderstudyError CLUSTER_NOT_FOUND. */
  openCluster(place: ClusterPlace): Promise<LocalCluster>;
  upCluster(options: UpOptions, onStep: (step: UpStep) => void): Promise<UpResult>;
  downCluster(cluster: LocalCluster, operation: Operation): Promise<Outcome>;
  describeDeletion(cluster: LocalCluster): Promise<Deletion>;
  deleteCluster(cluster: LocalCluster, operation: Operation): Promise<Outcome>;
  /** Out of the record, without asking any agent. */
  memberNames(cluster: LocalCluster): Promise<readonly string[]>;
  readClusterStatus(cluster: LocalCluster, signal: AbortSignal): Promise<ClusterStatus>;
  applicationPassword(cluster: LocalCluster): Promise<Secret>;
  /** Where the cluster's own programs are. */
  binDirOf(cluster: LocalCluster): Promise<string>;
  addStandby(
    cluster: LocalCluster,
    request: { name: string | null },
    operation: Operation,
  ): Promise<Outcome>;
  removeStandby(
    cluster: LocalCluster,
    request: { name: string },
    operation: Operation,
  ): Promise<Outcome>;
  planSwitchover(cluster: LocalCluster, request: { to: string | null }): Promise<Plan>;
  switchover(
    cluster: LocalCluster,
    request: { to: string | null },
    operation: Operation,
  ): Promise<Outcome>;
  planFailover(cluster: LocalCluster, request: { to: string | null }): Promise<Plan>;
  failover(
    cluster: LocalCluster,
    request: { to: string | null },
    operation: Operation,
  ): Promise<Outcome>;
  restart(
    cluster: LocalCluster,
    request: { member: string | null },
    operation: Operation,
  ): Promise<Outcome>;
  reload(cluster: LocalCluster, operation: Operation): Promise<Outcome>;
  showParameters(
    cluster: LocalCluster,
    request: { names: readonly string[]; all: boolean },
  ): Promise<readonly ParameterRow[]>;
  planParameters(cluster: LocalCluster, request: ParameterChange): Promise<Plan>;
  setParameters(
    cluster: LocalCluster,
    request: ParameterChange,
    operation: Operation,
  ): Promise<Outcome>;
  reclone(
    cluster: LocalCluster,
    request: { member: string },
    operation: Operation,
  ): Promise<Outcome>;
  readLogs(
    cluster: LocalCluster,
    request: { member: string | null; follow: boolean; lines: number; signal: AbortSignal },
  ): AsyncIterable<LogLine>;
  readEvents(cluster: LocalCluster): Promise<readonly ClusterEvent[]>;
  diagnose(from: {
    place: ClusterPlace;
    env: Environment;
    major: Major | null;
    pgBin: string | null;
    signal: AbortSignal;
  }): Promise<readonly FindingGroup[]>;
}

export interface ParameterChange {
  readonly set: Readonly<Record<string, string>>;
  readonly reset: readonly string[];
}
