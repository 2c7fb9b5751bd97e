// Removes a stopped cluster with all its data. What is removed is named beforehand.
import { readdir, rename, rm, rmdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { memberPaths } from "../agent/member-paths.ts";
import { agentRuns } from "../agent/witness.ts";
import { UnderstudyError, codeOf } from "../core/errors.ts";
import { stopServerWithoutAgent } from "./agents.ts";
import { findServerProcesses } from "../postgres/processes.ts";
import { lockCluster, type LocalCluster, type Operation, type Outcome } from "./cluster.ts";
import { stopCluster } from "./down.ts";
import { entriesOf } from "./entries-of.ts";
import { lastAddressOf, stopRemoved } from "./remove-standby.ts";

export interface Deletion {
  readonly paths: readonly string[];
  readonly members: readonly string[];
  readonly bytes: number | null;
}

export async function describeDeletion(cluster: LocalCluster): Promise<Deletion> {
  const members = (await readdir(cluster.paths.members).catch(() => [])).sort();
  return {
    paths: [cluster.paths.root],
    members,
    bytes: await sizeOf(cluster.paths.root).catch(() => null),
  };
}

export async function deleteCluster(cluster: LocalCluster, operation: Operation): Promise<Outcome> {
  using _lock = lockCluster(cluster);
  const { members } = await describeDeletion(cluster);
  const stopped = await stopForDeletion(cluster, operation);
  await stopStrangers(cluster, { stopped, operation });
  const alive = members.find((name) => isAlive(cluster, name));
  if (alive !== undefined)
    throw new UnderstudyError("STOP_FAILED", `${alive} still runs; nothing was deleted`);
  await deleteFiles(cluster);
  return {
    summary: `${cluster.place.name} and all its data were deleted`,
    facts: { deleted: [cluster.paths.root], members },
  };
}

/**
 * One rename takes all data away, then the specification goes: a crash leaves either the whole
 * cluster, or one without data that is deleted again, or what counts as nothing (create-cluster.ts
 * knows the name).
 */
export async function deleteFiles(cluster: LocalCluster): Promise<void> {
  const { root, members, cluster: specification } = cluster.paths;
  const deleted = `${members}-deleted`;
  await rm(deleted, { recursive: true, force: true, maxRetries: 5 });
  await rename(members, deleted).catch((thrown: unknown) => {
    if (codeOf(thrown) !== "ENOENT") throw thrown;
  });
  await rm(specification, { force: true });
  for (const entry of await readdir(root))
    await rm(join(root, entry), { recursive: true, force: true, maxRetries: 5 });
  // A mount point, or a directory that somebody else made for it, stays behind empty.
  await rmdir(root).catch((thrown: unknown) => {
    if (!["EACCES", "EPERM", "EBUSY"].includes(codeOf(thrown) ?? "")) throw thrown;
  });
}

/** Whatever the record says or does not say: data is never taken away under a server. */
function isAlive(cluster: LocalCluster, name: string): boolean {
  const { root } = cluster.paths;
  return agentRuns(root, name) || findServerProcesses(memberPaths(root, name).data).length > 0;
}

/** Those that the record does not name too: a removal that was killed leaves its member's agent. */
async function stopStrangers(
  cluster: LocalCluster,
  of: { stopped: readonly string[]; operation: Operation },
): Promise<void> {
  const { operation } = of;
  for (const name of await entriesOf(cluster.paths.members)) {
    if (of.stopped.includes(name)) continue;
    if (!agentRuns(cluster.paths.root, name)) {
      await stopServerWithoutAgent(cluster, { name, operation });
      continue;
    }
    const address = await lastAddressOf(cluster, name);
    await stopRemoved(cluster, { name, address, operation });
  }
}

/**
 * A record that cannot be read must not keep its cluster from being deleted, as long as nothing of
 * it runs.
 */
async function stopForDeletion(cluster: LocalCluster, operation: Operation): Promise<string[]> {
  try {
    return await stopCluster(cluster, operation);
  } catch (thrown) {
    const code = thrown instanceof UnderstudyError ? thrown.code : "";
    if (code !== "RECORD_CORRUPT" && code !== "STORE_CORRUPT") throw thrown;
    return [];
  }
}

async function sizeOf(path: string): Promise<number> {
  const stats = await stat(path);
  if (!stats.isDirectory()) return stats.blocks * 512;
  let bytes = 0;
  for (const entry of await readdir(path, { withFileTypes: true })) {
    const below = join(path, entry.name);
    if (entry.isDirectory()) bytes += await sizeOf(below);
    else if (entry.isFile()) bytes += (await stat(below)).blocks * 512;
  }
  return bytes;
}
