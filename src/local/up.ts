// `up`: makes a cluster where there is none, brings the same one back where there is, and returns
// when every standby streams. It loads little: initdb is to begin soon.
import type { ClusterStatus } from "../core/cluster-status.ts";
import { UnderstudyError } from "../core/errors.ts";
import type { SyncPolicy } from "../core/record.ts";
import type { Major } from "../core/spec.ts";
import { clusterPaths } from "../agent/member-paths.ts";
import type { AgentProgram } from "./agents.ts";
import type { UpStep } from "./await-streaming.ts";
import { lockCluster, openCluster, readRecord, type LocalCluster } from "./cluster.ts";
import { createCluster, makeRoom } from "./create-cluster.ts";
import { beginFounding } from "./founding.ts";
import { findOwner, type Owner } from "./owner.ts";
import type { ClusterPlace, Environment } from "./place.ts";
import { planNew, type Plan } from "./plan-cluster.ts";

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
  /** Whether commits wait for standbys; null where nothing was said: not in a new cluster. */
  readonly sync: SyncPolicy["mode"] | null;
  /** For how many; null where nothing was said: one. */
  readonly required: number | null;
  /** Make the record anew from the members' data: the old one is lost or damaged. */
  readonly adoptRecord: boolean;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export interface UpResult {
  readonly status: ClusterStatus;
  /** Nothing had to be done. */
  readonly alreadyRunning: boolean;
}

export interface UpSurroundings {
  readonly env: Environment;
  readonly uid: number;
  readonly program: AgentProgram;
  readonly onStep: (step: UpStep) => void;
}

/**
 * @throws UnderstudyError of every kind that the issue of a bad request calls for, before anything
 * is changed; INTERRUPTED when the signal came, after what this call had begun was undone;
 * TIMED_OUT.
 */
export async function upCluster(options: UpOptions, around: UpSurroundings): Promise<UpResult> {
  const existing = await openIfThere(options.place);
  const owner =
    existing === null ? await findOwner(options.user) : await findOwner(existing.file.osUser);
  const plan = existing === null ? await planUnlessMade(options, { ...around, owner }) : null;
  if (plan !== null) await makeRoom(options.place, owner);
  using _lock = lockCluster({ place: options.place, paths: clusterPaths(options.place.dir) });
  // Another `up` may have made it before the lock was had.
  const cluster = existing ?? (await openIfThere(options.place));
  // Awaited here, because the lock is given back where this function returns.
  if (plan !== null && cluster === null) return await upNew(options, { ...around, owner, plan });
  const found = cluster ?? (await openCluster(options.place));
  const { upExisting } = await import("./up-existing.ts");
  return await upExisting(found, options, { ...around, owner });
}

/** @returns null where another `up` has made the cluster meanwhile, in whose way a new one is. */
async function planUnlessMade(
  options: UpOptions,
  around: UpSurroundings & { owner: Owner | null },
): Promise<Plan | null> {
  try {
    return await planNew(options, around);
  } catch (thrown) {
    if ((await openIfThere(options.place)) !== null) return null;
    throw thrown;
  }
}

async function upNew(
  options: UpOptions,
  around: UpSurroundings & { owner: Owner | null; plan: Plan },
): Promise<UpResult> {
  const { place, signal } = options;
  const { owner, plan } = around;
  await createCluster({ place, owner, ...plan });
  const cluster = await openCluster(place);
  const record = await readRecord(cluster);
  const founding = beginFounding(cluster, { record, owner, signal });
  try {
    // Whatever else is needed is loaded while initdb is at work.
    await founding.begun;
    const { upNewborn } = await import("./up-newborn.ts");
    return await upNewborn(cluster, options, { ...around, record, founding });
  } finally {
    await founding.end();
  }
}

async function openIfThere(place: ClusterPlace): Promise<LocalCluster | null> {
  try {
    return await openCluster(place);
  } catch (thrown) {
    if (thrown instanceof UnderstudyError && thrown.code === "CLUSTER_NOT_FOUND") return null;
    throw thrown;
  }
}
