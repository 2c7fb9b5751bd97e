// Makes the record of a stopped cluster anew, from what its members have on disk, when the old one
// is lost or damaged: the same members at the same places, a term that no member has known, and the
// member with the newest WAL named to lead. The damaged file is kept.
import { readdir, rename } from "node:fs/promises";
import { MemberMemory } from "../agent/memory.ts";
import { readLastAddress } from "../agent/own-address.ts";
import { agentRuns } from "../agent/witness.ts";
import { memberPaths } from "../agent/member-paths.ts";
import { compareReach, termOfTimeline, type Reach } from "../core/protocol/election.ts";
import { lossOf, type WalPath } from "../core/protocol/wal-loss.ts";
import { UnderstudyError, messageOf } from "../core/errors.ts";
import type { Fork } from "../core/fork.ts";
import { formatLsn } from "../core/lsn.ts";
import { newRecord, type ClusterRecord, type RecordMember } from "../core/record.ts";
import { readMarker } from "../postgres/base-backup/marker.ts";
import { readControlData } from "../postgres/control-data.ts";
import { findServerProcesses } from "../postgres/processes.ts";
import { findWalEnd, readTimelineHistory } from "../postgres/wal-end.ts";
import { openStore, readRecord, type LocalCluster } from "./cluster.ts";
import { LEASE_TTL_MS } from "./create-cluster.ts";
import { giveTo, type Owner } from "./owner.ts";
import { entriesOf } from "./entries-of.ts";

/** What a member has on disk. */
interface Holding extends Reach, WalPath {
  readonly timeline: number;
  readonly systemId: string;
}

export interface Adoption {
  readonly heir: string;
  readonly term: number;
  readonly timeline: number;
  readonly endLsn: string;
  /** Members whose data holds what the heir's does not: it is set aside when they follow. */
  readonly diverged: readonly string[];
  /** Where the damaged files were put. */
  readonly kept: readonly string[];
}

/**
 * The addresses that the members' agents last had: all that is known where there is no record.
 */
export async function lastAddresses(cluster: LocalCluster): Promise<Record<string, RecordMember>> {
  const members: Record<string, RecordMember> = {};
  for (const name of (await readdir(cluster.paths.members).catch(() => [])).sort()) {
    const address = await readLastAddress(memberPaths(cluster.paths.root, name).address);
    if (address !== null) members[name] = { ...address, tags: {} };
  }
  return members;
}

/**
 * @throws UnderstudyError REFUSED when the record is sound, when something of the cluster runs,
 * when a member's data cannot be read or where it listened is not known, or when the members' data
 * is not of one system; nothing is changed then.
 */
export async function adoptRecord(cluster: LocalCluster, owner: Owner | null): Promise<Adoption> {
  const names = (await entriesOf(cluster.paths.members)).sort();
  const memories = await Promise.all(
    names.map((name) => MemberMemory.load(memberPaths(cluster.paths.root, name).memory)),
  );
  const newestTerm = Math.max(0, ...memories.map(({ term }) => term));
  await refuseSoundRecord(cluster, newestTerm);
  refuseRunning(cluster, names);
  const members = await lastAddresses(cluster);
  const forks = new Map(names.map((name, index) => [name, memories[index]?.forks ?? []]));
  const holdings = await holdingsOf(cluster, { forks, members });
  const heir = newestOf(cluster, holdings);
  const record: ClusterRecord = {
    ...newRecord({ cluster: cluster.place.name, founder: heir.name, ttlMs: LEASE_TTL_MS, members }),
    systemId: heir.systemId,
    forks: [...heir.forks],
    // Taking the lease makes it one more: a term that nobody has acted in.
    term: newestTerm,
  };
  const kept = await setDamagedAside(cluster);
  await using store = openStore(cluster);
  await store.write({ record, expected: null, durable: true });
  const files = (await readdir(cluster.paths.root)).filter((name) => name.startsWith("record.db"));
  await giveTo(
    owner,
    files.map((name) => `${cluster.paths.root}/${name}`),
  );
  const { name, timeline, endLsn } = heir;
  return {
    heir: name,
    term: record.term + 1,
    timeline,
    endLsn: formatLsn(endLsn),
    diverged: holdings
      .filter((other) => other !== heir && lossOf(other, heir) !== 0)
      .map((other) => other.name),
    kept,
  };
}

/**
 * An older copy that was put back is none: the members have known a later term, and do not obey it.
 */
async function refuseSoundRecord(cluster: LocalCluster, newestTerm: number): Promise<void> {
  const code = await readRecord(cluster).then(
    ({ term }) => (term < newestTerm ? "RECORD_CORRUPT" : null),
    (thrown: unknown) => (thrown instanceof UnderstudyError ? thrown.code : "INTERNAL"),
  );
  if (code === "RECORD_CORRUPT" || code === "STORE_CORRUPT") return;
  throw new UnderstudyError(
    "REFUSED",
    code === null
      ? `the record of ${cluster.place.name} is sound, there is nothing to make anew`
      : `the record of ${cluster.place.name} is not damaged but cannot be used (${code})`,
    {
      hint:
        code === null ? "Leave --adopt-record away." : "See what is in the way: understudy doctor",
    },
  );
}

function refuseRunning(cluster: LocalCluster, names: readonly string[]): void {
  const { root } = cluster.paths;
  for (const name of names)
    if (agentRuns(root, name) || findServerProcesses(memberPaths(root, name).data).length > 0)
      throw new UnderstudyError(
        "REFUSED",
        `${name} runs; a record is only made anew for a stopped cluster`,
        {
          hint: "Stop it first: understudy down",
        },
      );
}

/**
 * Members without data copy the others later; data that is there must tell what it holds, as it may
 * be the newest.
 */
async function holdingsOf(
  cluster: LocalCluster,
  of: {
    forks: ReadonlyMap<string, readonly Fork[]>;
    members: Readonly<Record<string, RecordMember>>;
  },
): Promise<Holding[]> {
  const holdings: Holding[] = [];
  for (const [name, forks] of of.forks) {
    const { data } = memberPaths(cluster.paths.root, name);
    if ((await entriesOf(data)).length === 0 || (await isHalfMade(data))) continue;
    if (!(name in of.members))
      throw new UnderstudyError(
        "REFUSED",
        `${data} holds data, but where ${name} listened is not known: its address.json is gone or damaged`,
        { hint: "Move that member's directory away, if its data is not wanted." },
      );
    holdings.push(await holdingOf({ name, dataDir: data, forks }));
  }
  return holdings;
}

/**
 * Such a copy is never started, so it must not be named to lead. A marker that cannot be read
 * counts as one that is there.
 */
function isHalfMade(dataDir: string): Promise<boolean> {
  return readMarker(dataDir).then(
    (marker) => marker !== null,
    () => true,
  );
}

async function holdingOf(of: {
  name: string;
  dataDir: string;
  forks: readonly Fork[];
}): Promise<Holding> {
  const { name, dataDir, forks } = of;
  try {
    const { systemId } = await readControlData(dataDir);
    const { timeline, endLsn } = await findWalEnd(dataDir);
    const history = await readTimelineHistory(dataDir, timeline).catch(() => null);
    const timelineTerm = termOfTimeline(timeline, forks);
    return { name, systemId, timeline, timelineTerm, lsn: endLsn, endLsn, forks, history };
  } catch (cause) {
    throw new UnderstudyError(
      "REFUSED",
      `${name} has data that cannot be read, and it may be the newest: ${messageOf(cause)}`,
      { cause, hint: "Repair it, or move that member's data directory away." },
    );
  }
}

function newestOf(cluster: LocalCluster, holdings: readonly Holding[]): Holding {
  const systems = new Set(holdings.map(({ systemId }) => systemId));
  const newest = holdings.toSorted(compareReach).at(0);
  if (newest === undefined)
    throw new UnderstudyError(
      "REFUSED",
      `no member of ${cluster.place.name} has data that could be read`,
    );
  if (systems.size > 1)
    throw new UnderstudyError(
      "REFUSED",
      `the members of ${cluster.place.name} have data of ${systems.size} different systems: ${holdings.map(({ name, systemId }) => `${name} of ${systemId}`).join(", ")}`,
      { hint: "Move away the data directories that do not belong here." },
    );
  return newest;
}

async function setDamagedAside(cluster: LocalCluster): Promise<string[]> {
  const stamp = new Date().toISOString().replaceAll(/[:.]/g, "-");
  const kept: string[] = [];
  for (const suffix of ["", "-wal", "-shm"]) {
    const place = `${cluster.paths.root}/damaged-${stamp}-record.db${suffix}`;
    const moved = await rename(`${cluster.paths.record}${suffix}`, place).then(
      () => true,
      () => false,
    );
    if (moved) kept.push(place);
  }
  return kept;
}
