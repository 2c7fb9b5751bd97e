// What a cluster takes: memory of its agents and deadmen, and files of each kind. Two of these, one
// of the beginning and one of the end, show whether anything grows.
import { readFileSync, readdirSync } from "node:fs";
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { findAgentsOf } from "../../src/agent/agent-processes.ts";
import { findDeadmen } from "../../src/agent/deadman/deadmen.ts";
import { memberPaths } from "../../src/agent/member-paths.ts";
import { formatRecord } from "../../src/core/record.ts";
import { readRecord, type LocalCluster } from "../../src/local/cluster.ts";

/** Of the whole cluster: sums, or the worst of its members where the name says so. */
export interface Footprint {
  readonly timeline: number;
  readonly agentRssMb: number;
  readonly worstAgentRssMb: number;
  readonly deadmanRssMb: number;
  readonly agentOpenFiles: number;
  readonly processes: number;
  readonly timelineHistories: number;
  readonly walMb: number;
  readonly walFiles: number;
  /** Everything below the cluster's directory. */
  readonly files: number;
  readonly slots: number;
  readonly spoolFiles: number;
  readonly keptDirectories: number;
  /** Copies and half copies that should be gone when everybody streams. */
  readonly leftovers: number;
  readonly logMb: number;
  readonly journalMb: number;
  readonly recordBytes: number;
  readonly storeMb: number;
}

export async function footprintOf(cluster: LocalCluster): Promise<Footprint> {
  const { root, record } = cluster.paths;
  const names = Object.keys((await readRecord(cluster)).members);
  const paths = names.map((name) => memberPaths(root, name));
  const agents = names.flatMap((name) => findAgentsOf(root, name).map(({ stat }) => stat.pid));
  const deadmen = paths.flatMap(({ data }) => findDeadmen(data).map(({ pid }) => pid));
  const wal = await sumOf(paths, ({ data }) => entriesOf(join(data, "pg_wal")));
  const rss = agents.map((pid) => rssMb(pid));
  return {
    timeline: (await readRecord(cluster)).leader?.timeline ?? 0,
    agentRssMb: round(sum(rss)),
    worstAgentRssMb: round(Math.max(0, ...rss)),
    deadmanRssMb: round(sum(deadmen.map((pid) => rssMb(pid)))),
    agentOpenFiles: sum(agents.map((pid) => openFiles(pid))),
    processes: agents.length + deadmen.length,
    timelineHistories: wal.filter(({ name }) => name.endsWith(".history")).length,
    walMb: megabytes(wal),
    walFiles: wal.filter(({ name }) => /^[0-9A-F]{24}$/.test(name)).length,
    files: await countBelow(root),
    slots: (await sumOf(paths, ({ data }) => entriesOf(join(data, "pg_replslot")))).length,
    spoolFiles: (await sumOf(paths, ({ spool }) => entriesOf(spool))).length,
    keptDirectories: (await sumOf(paths, ({ kept }) => entriesOf(kept))).length,
    leftovers: (await sumOf(paths, (member) => entriesOf(member.root))).filter(({ name }) =>
      /^(replaced-|staging$)/.test(name),
    ).length,
    logMb: megabytes(await sumOf(paths, ({ logs }) => entriesOf(logs))),
    journalMb: megabytes(
      (await sumOf(paths, (member) => entriesOf(member.root))).filter(({ name }) =>
        name.startsWith("events.jsonl"),
      ),
    ),
    recordBytes: Buffer.byteLength(formatRecord(await readRecord(cluster))),
    storeMb: megabytes(
      (await entriesOf(root)).filter(({ name }) => join(root, name).startsWith(record)),
    ),
  };
}

/** As a Markdown table: one row for each figure. */
export function growthTable(
  of: readonly { readonly when: string; readonly is: Footprint }[],
): string {
  const [first] = of;
  if (first === undefined) return "";
  const figures = Object.keys(first.is) as (keyof Footprint)[];
  return [
    `| | ${of.map(({ when }) => when).join(" | ")} |`,
    `|---|${of.map(() => "---:|").join("")}`,
    ...figures.map(
      (figure) => `| ${wordsOf(figure)} | ${of.map(({ is }) => is[figure]).join(" | ")} |`,
    ),
  ].join("\n");
}

/** "agentRssMb": "agent rss mb". */
function wordsOf(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

interface Found {
  readonly name: string;
  readonly bytes: number;
}

async function entriesOf(dir: string): Promise<Found[]> {
  const names = await readdir(dir).catch(() => []);
  return Promise.all(
    names.map(async (name) => {
      const stats = await lstat(join(dir, name)).catch(() => null);
      return { name, bytes: stats?.isFile() === true ? stats.blocks * 512 : 0 };
    }),
  );
}

/** Directories too. What is gone meanwhile has nothing below it. */
async function countBelow(dir: string): Promise<number> {
  const entries = await readdir(dir, { withFileTypes: true }).catch(() => []);
  const below = entries.filter((entry) => entry.isDirectory());
  const counts = await Promise.all(below.map(({ name }) => countBelow(join(dir, name))));
  return entries.length + sum(counts);
}

async function sumOf<T>(all: readonly T[], list: (each: T) => Promise<Found[]>): Promise<Found[]> {
  return (await Promise.all(all.map((each) => list(each)))).flat();
}

function megabytes(files: readonly Found[]): number {
  return round(sum(files.map(({ bytes }) => bytes)) / 1024 / 1024);
}

function rssMb(pid: number): number {
  try {
    const kib = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return Number(kib ?? 0) / 1024;
  } catch {
    return 0; // it has just ended
  }
}

function openFiles(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return 0; // it has just ended
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}

function round(number: number): number {
  return Math.round(number * 10) / 10;
}
