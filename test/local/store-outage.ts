// What every outage of the store has in common: members that run go on under a writer, nothing
// changes, and all is well by itself when the store is back. For store-outage-*.test.ts.
import assert from "node:assert/strict";
import { rename } from "node:fs/promises";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { readJournal } from "../../src/agent/journal.ts";
import { clusterPaths } from "../../src/agent/member-paths.ts";
import type { ClusterStatus } from "../../src/core/cluster-status.ts";
import { changeClusterRecord, openCluster, readRecord } from "../../src/local/cluster.ts";
import { AppWriter } from "../support/app-writer.ts";
import { eventually } from "../support/eventually.ts";
import { TestCluster } from "../support/local-cluster.ts";
import { assertAllRows, writeUrl } from "./cluster-facts.ts";

const HOLDER = fileURLToPath(new URL("./hold-store-child.ts", import.meta.url));

/**
 * Longer than a cluster on one machine has it: where an agent dies during an outage a machine that
 * has much else to do needs seconds to start another, and a server that has none for a lease is
 * rightly ended.
 */
const PATIENT_TTL_MS = 8_000;

/** Begins an outage; what it returns ends it. */
export type Outage = (cluster: TestCluster) => Promise<() => Promise<void>>;

/**
 * For longer than it takes until a leader counts as gone that has not renewed its lease.
 * @param meanwhile what else happens while the store is away
 */
export async function survives(
  cluster: TestCluster,
  outage: Outage,
  meanwhile: (status: ClusterStatus) => Promise<void> = async () => {},
): Promise<void> {
  const earlier = await cluster.untilHealthy();
  const decisions = await decisionsOf(cluster);
  const { ttlMs } = await readRecord(await opened(cluster));
  await using writer = await AppWriter.start(await writeUrl(cluster));
  await writer.hasWritten(20);
  const end = await outage(cluster);
  const begunMs = performance.now();
  try {
    await meanwhile(earlier);
    await eventually("a leader that is not heard of would count as gone", () => {
      return performance.now() - begunMs > ttlMs * 1.8;
    });
    await writer.hasWritten(50);
  } finally {
    await end();
  }
  const later = await cluster.untilHealthy();
  await writer.hasWritten(20);
  assert.deepEqual(shapeOf(later), shapeOf(earlier));
  assert.deepEqual(await decisionsOf(cluster), decisions, "nobody decided anything");
  await assertAllRows(cluster, await writer.stop());
}

/** For outages in which agents die. */
export async function upWithPatience(): Promise<TestCluster> {
  const cluster = await TestCluster.up(15);
  await setLease(cluster, PATIENT_TTL_MS);
  return cluster;
}

export async function setLease(cluster: TestCluster, ttlMs: number): Promise<void> {
  await changeClusterRecord(await opened(cluster), (record) => ({ ...record, ttlMs }));
}

function opened({ name, dir }: TestCluster) {
  return openCluster({ name, dir });
}

/** Who leads since when, and which servers run. */
function shapeOf({ primary, term, timeline, members }: ClusterStatus) {
  return { primary, term, timeline, servers: members.map(({ name, pid }) => [name, pid]) };
}

/** Events by which a member changes its part or its server. */
async function decisionsOf(cluster: TestCluster): Promise<string[]> {
  const changes =
    /^(stepped-down|leader-gone|elected|lease-.*|promoted|fenced|server-killed|stopped|.*-failed)$/;
  const names = ["t-1", "t-2", "t-3"];
  const journals = await Promise.all(names.map((name) => readJournal(cluster.paths(name).events)));
  return journals.flat().flatMap(({ event, member }) => {
    return changes.test(event) ? [`${member}: ${event}`] : [];
  });
}

/** Another process holds the store for good, or again and again. */
export function held(how: { holdMs: number; freeMs: number }): Outage {
  return async (cluster) => {
    const { record } = clusterPaths(cluster.dir);
    const args = [HOLDER, record, String(how.holdMs), String(how.freeMs)];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    await once(child.stdout, "data");
    return async () => {
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    };
  };
}

/** The agent dies, and the one that comes after it finds no store that answers. */
export async function loseAgent(cluster: TestCluster, member: string): Promise<void> {
  const agent = cluster.agentPid(member);
  await cluster.kill(agent);
  await eventually(`another agent of ${member} runs`, async () => {
    const [deadman, ...more] = cluster.deadmanPids(member);
    return deadman !== undefined && more.length === 0 && cluster.findAgent(member) !== null;
  });
}

/** The record is one that a newer Understudy has written. */
export const tooNew: Outage = async (cluster) => {
  const old = replaceRecord(cluster, '{"version":99}');
  return async () => void replaceRecord(cluster, old);
};

/** @returns what was there. */
function replaceRecord(cluster: TestCluster, body: string): string {
  const database = new DatabaseSync(clusterPaths(cluster.dir).record, { timeout: 30_000 });
  try {
    const row = database.prepare("SELECT body FROM record").get();
    database.prepare("UPDATE record SET body = ?, revision = revision + 1").run(body);
    return String(row?.["body"]);
  } finally {
    database.close();
  }
}

/** Its files are moved away, as by a person who puts a copy back. */
export const movedAway: Outage = async (cluster) => {
  const { record } = clusterPaths(cluster.dir);
  const files = ["", "-wal", "-shm"].map((suffix) => `${record}${suffix}`);
  for (const file of files) await rename(file, `${file}.away`);
  return async () => {
    for (const file of files) await rename(`${file}.away`, file);
  };
};
