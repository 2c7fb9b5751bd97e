// A cluster that was found on disk: its files, its store, and its agents.
import type { ClusterFile, ClusterSecrets } from "../agent/cluster-file.ts";
import { readClusterFile, readSecrets } from "../agent/cluster-file.ts";
import { clusterPaths, type ClusterPaths } from "../agent/member-paths.ts";
import { postToAgent, type AskOptions, type PostOptions } from "../agent/peer.ts";
import type { ClusterStatus } from "../core/cluster-status.ts";
import { UnderstudyError } from "../core/errors.ts";
import type { MemberStatus } from "../core/member-status.ts";
import type { ClusterRecord, RecordMember } from "../core/record.ts";
import { tryLock, type ProcessLock } from "../store/process-lock.ts";
import { SqliteStore } from "../store/sqlite-store.ts";
import { changeRecord, type Store } from "../store/store.ts";
import type { ClusterPlace } from "./place.ts";

/** How a cluster is reached whose store and agents are not on this machine. */
export interface Reach {
  openStore(): Store;
  /** @throws UnderstudyError MEMBER_UNREACHABLE. */
  askStatus(member: RecordMember, options: Omit<AskOptions, "trust">): Promise<MemberStatus>;
  /** @throws UnderstudyError MEMBER_UNREACHABLE, TIMED_OUT, or whatever the agent answered. */
  post(member: RecordMember, options: Omit<PostOptions, "token" | "trust">): Promise<unknown>;
  /** With its own endpoints, and remedies that can be done there. */
  describe(status: ClusterStatus): Promise<ClusterStatus>;
  /** Keeps among the events what a person has decided. @returns whether it could be. */
  note(decision: {
    event: string;
    message: string;
    details: Readonly<Record<string, unknown>>;
  }): Promise<void>;
}

export interface LocalCluster {
  /** Left out: all is on this machine, at the paths below. */
  readonly reach?: Reach;
  readonly place: ClusterPlace;
  readonly paths: ClusterPaths;
  readonly file: ClusterFile;
  readonly secrets: ClusterSecrets;
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

/** What was done. */
export interface Outcome {
  readonly summary: string;
  readonly facts: Readonly<Record<string, unknown>>;
}

/** What would be done. */
export interface Plan extends Outcome {
  readonly steps: readonly string[];
}

/** @throws UnderstudyError CLUSTER_NOT_FOUND, DIRECTORY_OTHER_CLUSTER or SPEC_CORRUPT. */
export async function openCluster(place: ClusterPlace): Promise<LocalCluster> {
  const paths = clusterPaths(place.dir);
  const file = await readClusterFile(paths.cluster).catch((thrown: unknown) => {
    if (thrown instanceof UnderstudyError && thrown.code === "CLUSTER_NOT_FOUND")
      throw new UnderstudyError(
        "CLUSTER_NOT_FOUND",
        `there is no cluster ${place.name} in ${place.dir}`,
      );
    throw thrown;
  });
  const found = file.specification.metadata.name;
  if (found !== place.name)
    throw new UnderstudyError(
      "DIRECTORY_OTHER_CLUSTER",
      `${place.dir} holds the cluster ${found}, not ${place.name}`,
    );
  return { place, paths, file, secrets: await readSecrets(paths.secrets) };
}

export function openStore(cluster: Pick<LocalCluster, "place" | "paths" | "reach">): Store {
  if (cluster.reach !== undefined) return cluster.reach.openStore();
  return new SqliteStore({ path: cluster.paths.record, cluster: cluster.place.name });
}

/**
 * @throws UnderstudyError RECORD_CORRUPT when there is none, and what reading a store may throw.
 */
export async function readRecord(cluster: LocalCluster): Promise<ClusterRecord> {
  await using store = openStore(cluster);
  const read = await store.read();
  if (read !== null) return read.record;
  throw new UnderstudyError(
    "RECORD_CORRUPT",
    `${cluster.paths.record} holds no record of ${cluster.place.name}`,
  );
}

/** @returns the new record, or null when the change was not allowed. */
export async function changeClusterRecord(
  cluster: LocalCluster,
  change: (record: ClusterRecord) => ClusterRecord | null,
): Promise<ClusterRecord | null> {
  await using store = openStore(cluster);
  return (await changeRecord(store, change))?.record ?? null;
}

/** @throws UnderstudyError OPERATION_IN_PROGRESS when another command is changing the cluster. */
export function lockCluster(cluster: Pick<LocalCluster, "place" | "paths" | "reach">): ProcessLock {
  // Of those who are elsewhere nobody knows: there the record's own changes exclude each other.
  if (cluster.reach !== undefined) return { path: "", [Symbol.dispose]: () => {} };
  const lock = tryLock(cluster.paths.operationLock);
  if (lock !== null) return lock;
  throw new UnderstudyError(
    "OPERATION_IN_PROGRESS",
    `another command is changing ${cluster.place.name} at this moment`,
  );
}

/** @throws UnderstudyError MEMBER_NOT_FOUND, naming those that there are. */
export function recordMember(record: ClusterRecord, name: string): RecordMember {
  const member = record.members[name];
  if (member !== undefined) return member;
  throw new UnderstudyError(
    "MEMBER_NOT_FOUND",
    `the cluster ${record.cluster} has no member ${JSON.stringify(name)}`,
    { hint: `Its members: ${Object.keys(record.members).join(", ")}.` },
  );
}

/** Asks an agent to do something and waits until it says that it is done. @returns its answer. */
export async function askAgent(
  cluster: LocalCluster,
  request: {
    member: RecordMember;
    path: string;
    body?: Readonly<Record<string, unknown>>;
    operation: Pick<Operation, "signal" | "timeoutMs">;
  },
): Promise<unknown> {
  const { member, path, body, operation } = request;
  const { timeoutMs, signal } = operation;
  const options = { path, body: body ?? {}, timeoutMs, signal };
  if (cluster.reach !== undefined) return await cluster.reach.post(member, options);
  return await postToAgent(member, {
    ...options,
    token: cluster.secrets.apiToken,
    trust: null,
  });
}
