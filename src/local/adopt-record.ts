// Makes the record of a stopped cluster anew, from what its members have on disk, when the old one is lost or damaged: the same members at the same
// places, a term that no member has known, and the member with the newest WAL named to lead. The damaged file is kept.
import { readFile, readdir, rename } from "node:fs/promises";
import * as v from "valibot";
import { MemberMemory } from "../agent/memory.ts";
import { memberPaths } from "../agent/member-paths.ts";
import { UnderstudyError } from "../core/errors.ts";
import { formatLsn, type Lsn } from "../core/lsn.ts";
import { newRecord, type ClusterRecord, type RecordMember } from "../core/record.ts";
import { readControlData } from "../postgres/control-data.ts";
import { findServerProcesses } from "../postgres/processes.ts";
import { findWalEnd } from "../postgres/wal-end.ts";
import { agentRuns } from "./agents.ts";
import { openStore, readRecord, type LocalCluster } from "./cluster.ts";
import { LEASE_TTL_MS } from "./create-cluster.ts";
import { giveTo, type Owner } from "./owner.ts";

const addressSchema = v.object({ host: v.string(), port: v.number(), apiPort: v.number() });

interface Holding {
  readonly name: string;
  readonly systemId: string;
  readonly timeline: number;
  readonly endLsn: Lsn;
}

export interface Adoption {
  readonly heir: string;
  readonly term: number;
  readonly timeline: number;
  readonly endLsn: string;
  /** Where the damaged files were put. */
  readonly kept: readonly string[];
}

/**
 * The addresses that the members' agents last had: all that is known where there is no record.
 */
export async function lastAddresses(cluster: LocalCluster): Promise<Record<string, RecordMember>> {
  const members: Record<string, RecordMember> = {};
  for (const name of (await readdir(cluster.paths.members).catch(() => [])).sort()) {
    const text = await readFile(memberPaths(cluster.paths.root, name).address, "utf8").catch(
      () => "",
    );
    const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), addressSchema), text);
    if (parsed.success) members[name] = { ...parsed.output, tags: {} };
  }
  return members;
}

/**
 * @throws UnderstudyError REFUSED when the record is sound, when something of the cluster runs, or when the members' data
 * is not of one system; nothing is changed then.
 */
export async function adoptRecord(cluster: LocalCluster, owner: Owner | null): Promise<Adoption> {
  await refuseSoundRecord(cluster);
  const members = await lastAddresses(cluster);
  refuseRunning(cluster, Object.keys(members));
  const holdings = await holdingsOf(cluster, Object.keys(members));
  const heir = newestOf(cluster, holdings);
  const terms = await Promise.all(
    Object.keys(members).map(async (name) => {
      const memory = await MemberMemory.load(memberPaths(cluster.paths.root, name).memory);
      return memory.term;
    }),
  );
  const record: ClusterRecord = {
    ...newRecord({ cluster: cluster.place.name, founder: heir.name, ttlMs: LEASE_TTL_MS, members }),
    systemId: heir.systemId,
    // Taking the lease makes it one more: a term that nobody has acted in.
    term: Math.max(0, ...terms),
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
  return { heir: name, term: record.term + 1, timeline, endLsn: formatLsn(endLsn), kept };
}

async function refuseSoundRecord(cluster: LocalCluster): Promise<void> {
  const code = await readRecord(cluster).then(
    () => null,
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

/** Members without usable data copy the others later. */
async function holdingsOf(cluster: LocalCluster, names: readonly string[]): Promise<Holding[]> {
  const holdings: Holding[] = [];
  for (const name of names) {
    const { data } = memberPaths(cluster.paths.root, name);
    const control = await readControlData(data).catch(() => null);
    const end = await findWalEnd(data).catch(() => null);
    if (control !== null && end !== null)
      holdings.push({
        name,
        systemId: control.systemId,
        timeline: end.timeline,
        endLsn: end.endLsn,
      });
  }
  return holdings;
}

function newestOf(cluster: LocalCluster, holdings: readonly Holding[]): Holding {
  const systems = new Set(holdings.map(({ systemId }) => systemId));
  const newest = holdings
    .toSorted((one, other) => other.timeline - one.timeline || (one.endLsn > other.endLsn ? -1 : 1))
    .at(0);
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
