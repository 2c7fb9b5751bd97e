// What members have written down: the agents' events, and the logs of agents and servers.
import { open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { readJournal, type Entry } from "../agent/journal.ts";
import { memberPaths } from "../agent/member-paths.ts";
import { codeOf } from "../core/errors.ts";
import { readRecord, recordMember, type LocalCluster } from "./cluster.ts";
import { inOrderOfTime, type LogLine } from "./log-order.ts";
import { mergeJournals } from "./merge-journals.ts";

const FOLLOW_MS = 250;
const TAIL_BYTES = 256 * 1024;

/** Of all members and of persons, in the order in which things happened. */
export async function readEvents(cluster: LocalCluster): Promise<Entry[]> {
  const names = await readdir(cluster.paths.members).catch(() => []);
  const journals = await Promise.all(
    [
      cluster.paths.events,
      ...names.map((name) => memberPaths(cluster.paths.root, name).events),
    ].map((path) => readJournal(path)),
  );
  return mergeJournals(journals);
}

interface Tail {
  offset: number;
  rest: string;
}

/**
 * The last lines of each member, then, when following, each new one until the signal; in the order
 * of their time.
 */
export async function* readLogs(
  cluster: LocalCluster,
  request: { member: string | null; follow: boolean; lines: number; signal: AbortSignal },
): AsyncIterable<LogLine> {
  const record = await readRecord(cluster);
  if (request.member !== null) recordMember(record, request.member);
  const members = request.member === null ? Object.keys(record.members) : [request.member];
  const timeZone = cluster.file.specification.spec.postgres.parameters["log_timezone"] ?? "UTC";
  const tails = new Map<string, Tail>();
  const last: (readonly LogLine[])[] = [];
  for (const member of members) {
    const logs: LogLine[][] = [];
    for (const path of await logFiles(cluster, member)) {
      const { lines, offset } = await lastLines(path, request.lines);
      tails.set(path, { offset, rest: "" });
      logs.push(lines.map((text) => ({ member, text })));
    }
    last.push(newest(inOrderOfTime(logs, timeZone), request.lines));
  }
  yield* inOrderOfTime(last, timeZone);
  while (request.follow && !request.signal.aborted) {
    await delay(FOLLOW_MS, undefined, { signal: request.signal }).catch(() => {});
    const logs: LogLine[][] = [];
    for (const member of members)
      for (const path of await logFiles(cluster, member)) {
        const tail = tails.get(path) ?? { offset: 0, rest: "" };
        tails.set(path, tail);
        logs.push((await newLines(path, tail)).map((text) => ({ member, text })));
      }
    yield* inOrderOfTime(logs, timeZone);
  }
}

function newest<T>(lines: readonly T[], count: number): readonly T[] {
  return count === 0 ? [] : lines.slice(-count);
}

async function logFiles(cluster: LocalCluster, member: string): Promise<string[]> {
  const { logs } = memberPaths(cluster.paths.root, member);
  const names = await readdir(logs).catch(() => []);
  return names
    .filter((name) => name === "agent.log" || /^(postgresql.*|start)\.log$/.test(name))
    .sort()
    .map((name) => join(logs, name));
}

async function lastLines(
  path: string,
  count: number,
): Promise<{ lines: readonly string[]; offset: number }> {
  const { text, size } = await readFrom(path, (bytes) => Math.max(0, bytes - TAIL_BYTES));
  const lines = text.split("\n").filter((line) => line !== "");
  return { lines: newest(lines, count), offset: size };
}

/** A file that became shorter was begun anew. */
async function newLines(path: string, tail: Tail): Promise<string[]> {
  const { text, size } = await readFrom(path, (bytes) => (bytes < tail.offset ? 0 : tail.offset));
  tail.offset = size;
  const lines = (tail.rest + text).split("\n");
  tail.rest = lines.pop() ?? "";
  return lines;
}

async function readFrom(
  path: string,
  start: (size: number) => number,
): Promise<{ text: string; size: number }> {
  try {
    await using file = await open(path, "r");
    const { size } = await file.stat();
    const from = start(size);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size - from), 0, size - from, from);
    return { text: buffer.toString("utf8", 0, bytesRead), size: from + bytesRead };
  } catch (thrown) {
    if (codeOf(thrown) === "ENOENT") return { text: "", size: 0 };
    throw thrown;
  }
}
