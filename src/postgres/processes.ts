// The processes of one server: finding all of them, orphans included, and killing the server whole
// (postgres-facts, 5). A process is never signalled by its number alone: numbers are used again.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { UnderstudyError, codeOf, messageOf } from "../core/errors.ts";
import { parsePostmasterPid } from "./postmaster-pid.ts";
import {
  type ProcessStat,
  directoryId,
  listPids,
  ownerOf,
  readBootId,
  readChildren,
  readLiveStat,
  readMountNamespace,
  readWorkingDirectory,
  requireProc,
  standsStill,
} from "./proc.ts";
import { realPathOf } from "./real-path.ts";

/** One process for all time: its number, its start, and the boot in which that start is counted. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startTicks: number;
  readonly bootId: string;
}

/** @returns null when no such process lives. Default: this process. */
export function identityOf(pid: number = process.pid): ProcessIdentity | null {
  requireProc();
  const stat = readLiveStat(pid);
  return stat === null ? null : { pid, startTicks: stat.startTicks, bootId: readBootId() };
}

/**
 * Whether this very process still runs; one that got its number later does not count, nor does a
 * zombie.
 */
export function isAlive(identity: ProcessIdentity): boolean {
  requireProc();
  const stat = readLiveStat(identity.pid);
  return stat?.startTicks === identity.startTicks && readBootId() === identity.bootId;
}

export interface ServerSurvey {
  /** Null when it is dead, however many of its children live. */
  readonly postmaster: ProcessStat | null;
  /** All that live, the postmaster among them. */
  readonly processes: readonly ProcessStat[];
  /**
   * Processes called postgres whose directory this user may not see, and which may be this
   * server's.
   */
  readonly hidden: readonly ProcessStat[];
}

/**
 * Every live process of the server on a data directory: each of them, but nothing else called
 * postgres, has it as its working directory. Needs no postmaster.pid, and finds backends whose
 * postmaster is dead. Commands that a server runs (archive_command) and other programs in that
 * directory do not count. Milliseconds: it walks the process table.
 * @throws UnderstudyError PLATFORM_UNSUPPORTED outside of Linux.
 */
export function findServerProcesses(dataDir: string): readonly ProcessStat[] {
  return surveyServer(dataDir).processes;
}

/** As findServerProcesses, and which of them is the postmaster, and what could not be seen. */
export function surveyServer(dataDir: string): ServerSurvey {
  requireProc();
  const isInside = insideOf(dataDir);
  const owners = possibleOwners(dataDir);
  const named = readPostmasterPid(dataDir);
  const processes: ProcessStat[] = [];
  const hidden: ProcessStat[] = [];
  for (const pid of listPids()) {
    if (owners !== null && !owners.has(ownerOf(`/proc/${pid}`))) continue;
    const stat = readLiveStat(pid);
    if (stat === null || !isPostgres(stat)) continue;
    const inside = isInside(pid);
    if (inside === "denied" && (pid === named || stat.parent === named)) processes.push(stat);
    else if (inside === "denied") hidden.push(stat);
    else if (inside === "yes") processes.push(stat);
  }
  return { postmaster: postmasterAmong(processes, named), processes, hidden };
}

/**
 * Quicker than findServerProcesses: one process is looked at. Null without a valid postmaster.pid.
 */
export function findPostmaster(dataDir: string): ProcessStat | null {
  requireProc();
  const pid = readPostmasterPid(dataDir);
  const stat = pid === null ? null : readLiveStat(pid);
  return stat !== null && belongsTo(stat, dataDir) ? stat : null;
}

/**
 * Whether this number is, now, a live process of the server on that directory. One process is
 * looked at.
 */
export function isServerProcess(of: { pid: number; dataDir: string }): boolean {
  return serverProcess(of) !== null;
}

/** As isServerProcess, with what the system tells of it. */
export function serverProcess(of: { pid: number; dataDir: string }): ProcessStat | null {
  requireProc();
  const stat = readLiveStat(of.pid);
  return stat !== null && belongsTo(stat, of.dataDir) ? stat : null;
}

function belongsTo(stat: ProcessStat, dataDir: string): boolean {
  return isPostgres(stat) && insideOf(dataDir)(stat.pid) !== "no";
}

/**
 * Sends a signal to the postmaster of a data directory and to nothing else: SIGINT fast shutdown,
 * SIGHUP reload, SIGUSR1 promotion (manual, 18.5 and pg_ctl).
 * @returns the process that got it, or null when none runs. @throws UnderstudyError STOP_FAILED
 * when not permitted.
 */
export function signalPostmaster(to: {
  dataDir: string;
  signal: NodeJS.Signals;
}): ProcessStat | null {
  const postmaster = findPostmaster(to.dataDir);
  if (postmaster === null) return null;
  return sendSignal(postmaster, to.signal) ? postmaster : null;
}

const POLL_MS = 2;
const STOP_WAIT_MS = 2_000;

/**
 * Kills a server whole, at once: it stops the postmaster, so that nothing is forked any more, kills
 * all its children and itself, and returns when no process of the data directory lives. Also for
 * orphans without a postmaster. Nothing running is a success. An abort is heeded before the first
 * signal and while waiting, never between.
 * @param options.postmaster of this server, where it is known: found though its directory was moved
 * away
 * @throws UnderstudyError STOP_FAILED naming the processes that still live, or that may not be
 * signalled.
 */
export async function killServer(options: {
  dataDir: string;
  postmaster?: ProcessIdentity;
  timeoutMs: number;
  signal?: AbortSignal;
}): Promise<{ killed: number; ms: number }> {
  const { dataDir, timeoutMs, signal } = options;
  signal?.throwIfAborted();
  const started = performance.now();
  const dead = new Set<string>();
  for (;;) {
    const postmaster = findPostmaster(dataDir) ?? strayOf(options.postmaster);
    if (postmaster !== null) await killFamily(postmaster, dead);
    // Those that were killed work elsewhere where the directory was moved away.
    const left = [...findServerProcesses(dataDir), ...stillAlive(dead)];
    if (left.length === 0) return { killed: dead.size, ms: performance.now() - started };
    for (const found of left) if (sendSignal(found, "SIGKILL")) dead.add(keyOf(found));
    if (performance.now() - started > timeoutMs)
      throw new UnderstudyError(
        "STOP_FAILED",
        `cannot kill the server in ${dataDir}: after ${timeoutMs} ms ${describe(left)} still live`,
        { details: { dataDir, pids: left.map((found) => found.pid) } },
      );
    await delay(POLL_MS, undefined, signal === undefined ? {} : { signal });
  }
}

function stillAlive(killed: ReadonlySet<string>): ProcessStat[] {
  return [...killed].flatMap((key) => {
    const stat = readLiveStat(Number(key.split(":")[0]));
    return stat !== null && keyOf(stat) === key ? [stat] : [];
  });
}

function strayOf(postmaster: ProcessIdentity | undefined): ProcessStat | null {
  if (postmaster === undefined || !isAlive(postmaster)) return null;
  return readLiveStat(postmaster.pid);
}

/** Only the postmaster forks, so the list of its children is complete while it is stopped. */
async function killFamily(postmaster: ProcessStat, dead: Set<string>): Promise<void> {
  if (!sendSignal(postmaster, "SIGSTOP")) return;
  await untilStandsStill([postmaster.pid]);
  for (const member of [...childrenOf(postmaster), postmaster])
    if (sendSignal(member, "SIGKILL")) dead.add(keyOf(member));
}

/**
 * After SIGSTOP, which only asks for it: waits, for two seconds at most, until none of them can do
 * anything more. @returns whether that is so; those that have ended count.
 */
export async function untilStandsStill(pids: readonly number[]): Promise<boolean> {
  const deadline = performance.now() + STOP_WAIT_MS;
  for (;;) {
    if (pids.every((pid) => standsStill(pid))) return true;
    if (performance.now() > deadline) return false;
    await delay(POLL_MS);
  }
}

function childrenOf(postmaster: ProcessStat): ProcessStat[] {
  const pids = readChildren(postmaster.pid) ?? listPids();
  return pids
    .map((pid) => readLiveStat(pid))
    .filter((stat) => stat !== null)
    .filter((stat) => stat.parent === postmaster.pid && isPostgres(stat));
}

/**
 * Looks once more that the number still is the process that was meant. @returns false when it is
 * gone.
 */
function sendSignal(to: ProcessStat, signal: NodeJS.Signals): boolean {
  const now = readLiveStat(to.pid);
  if (now === null || now.startTicks !== to.startTicks) return false;
  try {
    return process.kill(to.pid, signal);
  } catch (cause) {
    if (codeOf(cause) === "ESRCH") return false;
    throw new UnderstudyError(
      "STOP_FAILED",
      `cannot send ${signal} to PostgreSQL's process ${to.pid}: ${messageOf(cause)}`,
      {
        cause,
        details: { pid: to.pid, code: codeOf(cause) ?? null },
        hint: "Run the command as the user that owns the data directory.",
      },
    );
  }
}

/**
 * Tells of a process whether it works in this directory, even after the directory was removed under
 * it.
 */
function insideOf(dataDir: string): (pid: number) => "yes" | "no" | "denied" {
  const path = realPathOf(dataDir);
  const id = directoryId(dataDir);
  // One that is gone was its parent's owner's: the agent made both.
  const owner = ownerOf(dataDir) ?? ownerOf(dirname(dataDir));
  return (pid) => {
    const directory = readWorkingDirectory(pid);
    if (directory === null) return "no";
    if (directory.kind === "denied")
      // PostgreSQL refuses a directory that is another user's, so another user's process is not
      // this server's.
      return owner !== null && ownerOf(`/proc/${pid}`) !== owner ? "no" : "denied";
    if (id !== null && directory.id === id) return "yes";
    // The same path in another mount namespace is another directory.
    const wasHere =
      directory.path === `${path} (deleted)` &&
      readMountNamespace(pid) === readMountNamespace("self");
    return wasHere ? "yes" : "no";
  };
}

/**
 * Whose a server on this directory can be: the quickest that can be asked of a process, and of most
 * on a machine it is enough. A directory that was removed under its server may have been made anew
 * by somebody else. Null where nothing tells.
 */
function possibleOwners(dataDir: string): ReadonlySet<number | null> | null {
  const owner = ownerOf(dataDir);
  if (owner === null) return null;
  return new Set([owner, ownerOf(dirname(dataDir)), process.geteuid?.() ?? null]);
}

/**
 * "postgres", "postmaster" (a link in old installations), "edb-postgres"; and pg_rewind, which
 * writes into the directory that it works in and outlives an agent that is killed.
 */
function isPostgres(stat: ProcessStat): boolean {
  const { name } = stat;
  return name.includes("postgres") || name.includes("postmaster") || name === "pg_rewind";
}

function postmasterAmong(
  processes: readonly ProcessStat[],
  named: number | null,
): ProcessStat | null {
  const byFile = processes.find((found) => found.pid === named);
  // Without the file: the only one that has children.
  const byChildren = processes.find((found) =>
    processes.some((other) => other.parent === found.pid),
  );
  return byFile ?? byChildren ?? null;
}

function readPostmasterPid(dataDir: string): number | null {
  try {
    const text = readFileSync(join(dataDir, "postmaster.pid"), "utf8");
    return parsePostmasterPid(text)?.pid ?? null;
  } catch {
    return null;
  }
}

function keyOf(stat: ProcessStat): string {
  return `${stat.pid}:${stat.startTicks}`;
}

function describe(processes: readonly ProcessStat[]): string {
  const shown = processes.slice(0, 5).map((found) => `${found.pid} (state ${found.state})`);
  const more = processes.length - shown.length;
  return `${shown.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}
