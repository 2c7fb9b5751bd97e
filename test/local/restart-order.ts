// Every process of a cluster is killed at once, as by a power cut, and its members come back one by
// one, the newest last or never. For restart-*.test.ts.
import { readJournal, type Entry } from "../../src/agent/journal.ts";
import type { ClusterStatus } from "../../src/core/cluster-status.ts";
import { AppWriter, compareRows } from "../support/app-writer.ts";
import { eventually } from "../support/eventually.ts";
import type { TestCluster } from "../support/local-cluster.ts";
import { memberUrl, writeUrl } from "./cluster-facts.ts";

const MEMBERS = ["t-1", "t-2", "t-3"];

export function others(primary: string | null): string[] {
  return MEMBERS.filter((name) => name !== primary);
}

/** Whoever is up has received what was acknowledged. */
export async function writeThenKillAll(cluster: TestCluster): Promise<readonly number[]> {
  await using writer = await AppWriter.start(await writeUrl(cluster));
  await writer.hasWritten(100);
  const acknowledged = await writer.stop();
  await cluster.until("the standbys that are up have it", ({ members }) =>
    members.every(({ role, receiveLagBytes }) => role !== "standby" || receiveLagBytes === 0),
  );
  await cluster.killAll();
  return acknowledged;
}

export function leads(
  cluster: TestCluster,
  of: { name: string; since: number },
): Promise<ClusterStatus> {
  const { name, since } = of;
  return cluster.until(`${name} leads`, ({ primary, term }) => primary === name && term > since);
}

export async function missingOn(
  cluster: TestCluster,
  of: { name: string; acknowledged: readonly number[] },
): Promise<number[]> {
  const url = await memberUrl(cluster, of.name);
  const compared = await eventually("it answers", () => compareRows(url, of.acknowledged));
  return compared.missing;
}

export async function eventsOf(cluster: TestCluster, name: string): Promise<Entry[]> {
  return readJournal(cluster.paths(name).events);
}

export async function countOf(cluster: TestCluster, event: string): Promise<number> {
  const all = await Promise.all(MEMBERS.map((name) => eventsOf(cluster, name)));
  return all.flat().filter((entry) => entry.event === event).length;
}
