// Makes the files of a new cluster. The specification is written last: without it the directory
// counts as unfinished, and the next `up` begins anew.
import { access, mkdir, readdir, rm, rmdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { createSecrets, writeClusterFile, type ClusterFile } from "../agent/cluster-file.ts";
import { clusterPaths, memberPaths, type ClusterPaths } from "../agent/member-paths.ts";
import { UnderstudyError, codeOf, messageOf } from "../core/errors.ts";
import { memberNameAt } from "../core/name.ts";
import { newRecord, type RecordMember, type SyncPolicy } from "../core/record.ts";
import { SqliteStore } from "../store/sqlite-store.ts";
import type { MemberPorts } from "./ports.ts";
import { giveTo, requireReachable, type Owner } from "./owner.ts";
import type { ClusterPlace } from "./place.ts";

const HOST = "127.0.0.1";
/**
 * Nobody on one machine waits for it when a process has died, which the operating system proves at
 * once. It is what an agent that hangs, or that is being started again, may take before its server
 * is ended: on a laptop under load a start can take seconds.
 */
export const LEASE_TTL_MS = 5_000;

/**
 * Whether a cluster can be made there; makes nothing.
 * @throws UnderstudyError DIRECTORY_NOT_OURS or DIRECTORY_NOT_WRITABLE.
 */
export async function requireRoom(place: ClusterPlace, owner: Owner | null): Promise<void> {
  const paths = clusterPaths(place.dir);
  const entries = await readdir(place.dir).catch((thrown: unknown) => {
    if (codeOf(thrown) === "ENOENT") return [];
    if (codeOf(thrown) === "ENOTDIR")
      throw new UnderstudyError(
        "DIRECTORY_NOT_OURS",
        `cannot keep a cluster in ${place.dir}: that, or something above it, is a file`,
        { hint: "Choose a directory with --dir." },
      );
    throw new UnderstudyError(
      "DIRECTORY_NOT_WRITABLE",
      `cannot read ${place.dir}: ${messageOf(thrown)}`,
    );
  });
  // First, because it tells more: somebody may have moved cluster.json to another name beside it.
  await refuseData(paths);
  const stranger = entries.find((entry) => !isOurs(paths, entry));
  if (stranger !== undefined)
    throw new UnderstudyError(
      "DIRECTORY_NOT_OURS",
      `${place.dir} is not empty and holds no cluster: "${stranger}" is in it`,
    );
  await requireReachable(place.dir, owner);
}

/**
 * Makes the cluster's directory, for its owner alone.
 * @throws UnderstudyError DIRECTORY_NOT_WRITABLE; then nothing was made.
 */
export async function makeRoom(place: ClusterPlace, owner: Owner | null): Promise<void> {
  const made: string[] = [];
  try {
    await makeDirectory(place.dir, { mode: 0o700, made });
    await giveTo(owner, [place.dir]);
  } catch (cause) {
    for (const dir of made.toReversed()) await rmdir(dir);
    throw new UnderstudyError(
      "DIRECTORY_NOT_WRITABLE",
      `cannot make ${place.dir}: ${messageOf(cause)}`,
      { cause },
    );
  }
}

/**
 * Level by level: Node's own recursive mkdir tries for ever where the system says that there can be
 * no such directory (/proc).
 */
async function makeDirectory(dir: string, how: { mode: number; made: string[] }): Promise<void> {
  try {
    await mkdir(dir, how.mode);
    how.made.push(dir);
  } catch (thrown) {
    if (codeOf(thrown) === "EEXIST") return;
    const above = dirname(dir);
    if (codeOf(thrown) !== "ENOENT" || (await isThere(above))) throw thrown;
    await makeDirectory(above, { mode: 0o755, made: how.made });
    await makeDirectory(dir, how);
  }
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/**
 * Data without a specification is a cluster whose cluster.json was lost, and nothing to begin anew
 * over.
 */
async function refuseData(paths: ClusterPaths): Promise<void> {
  const names = await readdir(paths.members).catch(() => []);
  for (const name of names) {
    const member = memberPaths(paths.root, name);
    for (const path of [member.data, member.kept])
      if ((await readdir(path).catch(() => [])).length > 0)
        throw new UnderstudyError(
          "DIRECTORY_NOT_OURS",
          `${path} holds data, but ${paths.cluster} is missing; nothing was changed`,
          { hint: "Bring cluster.json back from a copy, or move the data away." },
        );
  }
}

/** What an `up` that was killed before the specification was written may leave. */
function isOurs(paths: ClusterPaths, entry: string): boolean {
  const known = [paths.record, paths.secrets, paths.operationLock, paths.members].map((path) =>
    basename(path),
  );
  return (
    known.some(
      (name) => entry === name || entry.startsWith(`${name}-`) || entry.startsWith(`${name}.`),
    ) || /^cluster\.json\.[0-9a-f]+\.tmp$/.test(entry)
  );
}

export async function createCluster(options: {
  place: ClusterPlace;
  file: ClusterFile;
  ports: readonly MemberPorts[];
  sync: SyncPolicy;
  owner: Owner | null;
}): Promise<void> {
  const { place, file, ports, sync, owner } = options;
  const paths = clusterPaths(place.dir);
  await giveTo(owner, [place.dir, paths.operationLock]);
  await removeUnfinished(paths);
  await mkdir(paths.members, { mode: 0o700 });
  const members: Record<string, RecordMember> = {};
  for (const [index, each] of ports.entries()) {
    const name = memberNameAt(place.name, index + 1);
    members[name] = { host: HOST, ...each, tags: {} };
    await mkdir(memberPaths(place.dir, name).root, { mode: 0o700 });
    await giveTo(owner, [memberPaths(place.dir, name).root]);
  }
  await createSecrets(paths.secrets);
  await writeFirstRecord({ place, members, sync, owner });
  await giveTo(owner, [paths.members, paths.secrets]);
  await writeClusterFile(paths.cluster, file);
}

async function removeUnfinished(paths: ClusterPaths): Promise<void> {
  for (const entry of await readdir(paths.root))
    if (entry !== basename(paths.operationLock))
      await rm(join(paths.root, entry), { recursive: true, force: true });
}

async function writeFirstRecord(options: {
  place: ClusterPlace;
  members: Record<string, RecordMember>;
  sync: SyncPolicy;
  owner: Owner | null;
}): Promise<void> {
  const { place, members, sync, owner } = options;
  const path = clusterPaths(place.dir).record;
  const record = newRecord({
    cluster: place.name,
    founder: memberNameAt(place.name, 1),
    ttlMs: LEASE_TTL_MS,
    members,
    sync,
  });
  await using store = new SqliteStore({ path, cluster: place.name });
  await store.write({ record, expected: null, durable: true });
  const files = (await readdir(place.dir)).filter((entry) => entry.startsWith(basename(path)));
  await giveTo(
    owner,
    files.map((entry) => join(place.dir, entry)),
  );
}
