// For tests of bad input: runs the real command line, and holds a refusal to its promises: the exit
// status of the table, one sentence and one hint as a document on stderr, no stack trace, nothing
// printed as data, nothing changed on disk, nobody left.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { lstat, readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ERRORS, type ErrorCode } from "../../src/core/errors.ts";
import { findClusterProcesses } from "../support/cluster-processes.ts";
import { type CommandError, type CommandResult, errorOf } from "../support/local-cluster.ts";

const LAUNCHER = fileURLToPath(new URL("../../bin/understudy.js", import.meta.url));
const COMMAND_LIMIT_MS = 240_000;

export interface Surroundings {
  /** Instead of this process's own. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly user?: { readonly uid: number; readonly gid: number } | undefined;
}

/** Runs it as typed: nothing is added. */
export async function understudy(
  args: readonly string[],
  around: Surroundings = {},
): Promise<CommandResult> {
  const child = spawn(process.execPath, [LAUNCHER, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    cwd: around.cwd ?? "/",
    env: around.env ?? { PATH: process.env["PATH"] ?? "" },
    timeout: COMMAND_LIMIT_MS,
    killSignal: "SIGKILL",
    ...around.user,
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const [status, signal] = await new Promise<[number | null, NodeJS.Signals | null]>(
    (resolve, reject) => {
      child.once("error", reject);
      child.once("close", (...ended) => resolve(ended));
    },
  );
  return { args, status, signal, stdout, stderr };
}

export interface Refusal extends Surroundings {
  readonly args: readonly string[];
  readonly code: ErrorCode;
  /** What the sentence must say. */
  readonly says: RegExp;
  readonly hint?: RegExp;
}

/** @param dir where nothing may change and nobody may be left that was not there before. */
export async function assertRefused(refusal: Refusal, dir: string): Promise<CommandError> {
  const before = await lookAt(dir);
  const result = await understudy([...refusal.args, "-o", "json"], refusal);
  const what = `understudy ${refusal.args.join(" ")}: ${result.stderr}`;
  const error = errorOf(result);
  assert.equal(error.code, refusal.code, what);
  assert.equal(result.status, ERRORS[refusal.code].exit, what);
  assert.equal(result.stdout, "", what);
  assert.match(error.message, refusal.says, what);
  assertReadable(error, what);
  if (refusal.hint !== undefined) assert.match(error.hint, refusal.hint, what);
  assert.doesNotMatch(result.stderr, /^\s+at .*\.ts:\d+|node:internal/m, what);
  assert.deepEqual(await lookAt(dir), before, what);
  return error;
}

/** One sentence on one line, without the debris of Node or of a server, and something to do. */
function assertReadable({ message, hint }: CommandError, what: string): void {
  for (const text of [message, hint]) {
    assert.notEqual(text.trim(), "", what);
    assert.doesNotMatch(text, /\n|undefined|\[object|NaN/, what);
  }
}

/** Without backends, whose names are their postmaster's at first: agents' sessions come and go. */
async function lookAt(dir: string): Promise<{ tree: readonly string[]; processes: number[] }> {
  const found = findClusterProcesses(dir);
  const servers = new Set(found.flatMap(({ pid, command }) => (isServer(command) ? [pid] : [])));
  const processes = found.filter(
    ({ command, parent }) => /understudy/.test(command) && !servers.has(parent),
  );
  return { tree: await treeOf(dir), processes: processes.map(({ pid }) => pid) };
}

/** What a living cluster changes all the time. */
const ALIVE =
  /\/(record\.db(-wal|-shm|-journal)?|logs|data|events\.jsonl|memory\.json)(\/|$)|-journal$/;

/**
 * Each entry below it: kind, mode, owner, and of a file what it holds; a living cluster's data and
 * logs left out.
 */
export async function treeOf(dir: string): Promise<readonly string[]> {
  const names = await namesBelow(dir).catch(() => null);
  if (names === null) return ["absent"];
  return (await Promise.all(names.map((name) => describeEntry(join(dir, name))))).sort();
}

/** A data directory has a thousand files, which nobody need look at to leave them out. */
async function namesBelow(dir: string, within = ""): Promise<readonly string[]> {
  const entries = await readdir(join(dir, within), { withFileTypes: true });
  const names: string[] = [];
  for (const entry of entries) {
    const name = join(within, entry.name);
    if (ALIVE.test(`/${name}`)) continue;
    names.push(name);
    if (entry.isDirectory()) names.push(...(await namesBelow(dir, name)));
  }
  return names;
}

async function describeEntry(path: string): Promise<string> {
  const stats = await lstat(path);
  const facts = `${path} ${stats.mode.toString(8)} ${stats.uid}:${stats.gid}`;
  if (!stats.isFile()) return facts;
  return `${facts} ${createHash("sha256")
    .update(await readFile(path))
    .digest("hex")}`;
}

function isServer(command: string): boolean {
  return /\/postgres -D /.test(command);
}
