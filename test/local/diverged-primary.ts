// A former primary that acknowledged rows which no standby ever got, and a standby that leads now.
// For rejoin-rewind.test.ts.
import assert from "node:assert/strict";
import { readFile, readdir, rename } from "node:fs/promises";
import { join } from "node:path";
import type { DivergenceReport } from "../../src/agent/effects/divergence-report.ts";
import { AppWriter, compareRows } from "../support/app-writer.ts";
import { signal } from "../support/cluster-processes.ts";
import { HeldDirectory } from "../support/held-directory.ts";
import { memberOf, type TestCluster } from "../support/local-cluster.ts";
import { assertAllRows, hasNoLag, memberUrl, writeUrl } from "./cluster-facts.ts";
import { cutOff } from "./crash-failover.ts";

export interface DivergedPrimary extends AsyncDisposable {
  readonly old: string;
  /** Its data as it was when it led. */
  readonly directory: HeldDirectory;
  readonly acknowledged: readonly number[];
  /** Those of them that the new primary does not have. */
  readonly lost: readonly number[];
  /** Entries of kept/ before. */
  readonly keptBefore: readonly string[];
}

/**
 * The old primary is dead with its agent. Its data is out of reach while the standby takes over, or
 * nothing would be lost. `beforeDeath` has SQL run on it when nobody gets its WAL any more.
 */
export async function divergedPrimary(
  cluster: TestCluster,
  options: { beforeDeath?: readonly string[] } = {},
): Promise<DivergedPrimary> {
  const { primary: old } = await cluster.untilHealthy();
  assert.ok(old !== null);
  const standbys = ["t-1", "t-2"].filter((name) => name !== old);
  const { data } = cluster.paths(old);
  const keptBefore = await keptOf(cluster, old);
  const directory = await HeldDirectory.at(data);
  await using writer = await AppWriter.start(await writeUrl(cluster));
  await writer.hasWritten(20);
  const release = await cutOff(cluster, standbys);
  await writer.hasWritten(80);
  for (const sql of options.beforeDeath ?? [])
    await cluster.ok(["sql", "--as-superuser", "--member", old, sql]);
  // The others' agents see neither the death nor the disk: they would rescue its WAL.
  const agents = standbys.map((name) => cluster.agentPid(name));
  for (const pid of agents) signal(pid, "SIGSTOP");
  const elsewhere = join(cluster.dir, `data-of-${old}`);
  await cluster.killMember(old);
  await rename(data, elsewhere);
  for (const pid of agents) signal(pid, "SIGCONT");
  const acknowledged = await writer.stop();
  await release();
  await cluster.run(["failover", "--accept-loss", "--yes"]);
  const { primary } = await cluster.until(
    "a standby leads",
    (status) => status.primary !== null && status.primary !== old,
  );
  const { missing } = await compareRows(await memberUrl(cluster, primary ?? ""), acknowledged);
  // One row may have arrived before its answer did, and so before the cut.
  assert.ok(missing.length >= 79, `${missing.length} lost rows are too few`);
  await rename(elsewhere, data);
  return {
    old,
    directory,
    acknowledged,
    lost: missing,
    keptBefore,
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  };
}

/**
 * Everybody is as the new primary is: the lost rows are nowhere, and the cluster takes new ones.
 */
export async function assertRejoined(
  cluster: TestCluster,
  diverged: DivergedPrimary,
): Promise<void> {
  const { old, acknowledged, lost } = diverged;
  const status = await cluster.untilHealthy();
  assert.equal(memberOf(status, old).state, "streaming");
  await cluster.until("the standby has everything", hasNoLag);
  for (const { name } of status.members) {
    const found = await compareRows(await memberUrl(cluster, name), acknowledged);
    assert.deepEqual(found, { missing: lost, doubled: [] }, name);
  }
  // The numbers of the lost rows are used again: a page that was left as it was would show twice.
  await using writer = await AppWriter.start(await writeUrl(cluster));
  await writer.hasWritten(lost.length + 20);
  await assertAllRows(cluster, await writer.stop());
}

/** The report of what was kept since. */
export async function newReport(
  cluster: TestCluster,
  { old, keptBefore }: DivergedPrimary,
): Promise<{ place: string; report: DivergenceReport }> {
  const names = (await keptOf(cluster, old)).filter((name) => !keptBefore.includes(name));
  assert.equal(names.length, 1, `kept: ${names.join(", ")}`);
  const place = join(cluster.paths(old).kept, names[0] ?? "");
  return { place, report: JSON.parse(await readFile(join(place, "report.json"), "utf8")) };
}

/** The names of the member's events, oldest first. */
export async function eventsOf(cluster: TestCluster, member: string): Promise<string[]> {
  const text = await readFile(cluster.paths(member).events, "utf8");
  return text
    .trim()
    .split("\n")
    .map((line): string => JSON.parse(line).event);
}

async function keptOf(cluster: TestCluster, member: string): Promise<string[]> {
  return await readdir(cluster.paths(member).kept).catch(() => []);
}
