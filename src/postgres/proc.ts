// What Linux's /proc says about processes. Read synchronously: one file takes microseconds, and a
// list must not be stale before its last entry is read. Every function answers null for a process
// that has vanished meanwhile.
import { readFileSync, readdirSync, readlinkSync, statSync } from "node:fs";
import { UnderstudyError, codeOf } from "../core/errors.ts";

export interface ProcessStat {
  readonly pid: number;
  /** The program's name, at most 15 characters. */
  readonly name: string;
  /** R, S, D, T (stopped), Z (zombie: dead, not reaped) … (proc(5)). */
  readonly state: string;
  readonly parent: number;
  /** Clock ticks from boot to its start: with the pid it names one process until the next boot. */
  readonly startTicks: number;
}

/** @throws UnderstudyError PLATFORM_UNSUPPORTED where there is no /proc. */
export function requireProc(): void {
  if (process.platform === "linux") return;
  throw new UnderstudyError(
    "PLATFORM_UNSUPPORTED",
    `cannot see which processes belong to a server: ${process.platform} has no /proc`,
    { hint: "Understudy runs servers on Linux only, so far." },
  );
}

export function listPids(): number[] {
  return readdirSync("/proc").flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));
}

/** Null when there is no such process, or it is only a zombie: dead is dead (lesson 12). */
export function readLiveStat(pid: number): ProcessStat | null {
  const text = read(`/proc/${pid}/stat`);
  const stat = text === null ? null : parseStat(text);
  return stat === null || stat.state === "Z" || stat.state === "X" ? null : stat;
}

/** "42 (post gres) S 1 …": the name may hold blanks and brackets, so the last bracket ends it. */
export function parseStat(text: string): ProcessStat | null {
  const open = text.indexOf("(");
  const close = text.lastIndexOf(")");
  const pid = Number(text.slice(0, open));
  const [state, parent, ...rest] = text.slice(close + 2).split(" ");
  // The start time is field 22; the state is field 3.
  const startTicks = Number(rest[17]);
  if (open < 1 || close < open || state === undefined || !Number.isInteger(pid)) return null;
  if (!Number.isInteger(startTicks)) return null;
  return { pid, name: text.slice(open + 1, close), state, parent: Number(parent), startTicks };
}

/**
 * Children of the main thread, which is the one that forks in PostgreSQL; null without
 * CONFIG_PROC_CHILDREN.
 */
export function readChildren(pid: number): number[] | null {
  const text = read(`/proc/${pid}/task/${pid}/children`);
  return text === null ? null : text.trim().split(" ").filter(Boolean).map(Number);
}

/**
 * The working directory: as a path (with " (deleted)" when it is gone), and as device and inode,
 * which see through symbolic links, bind mounts and other mount namespaces.
 */
export type WorkingDirectory =
  | { readonly kind: "known"; readonly path: string; readonly id: string | null }
  | { readonly kind: "denied" }
  | null;

export function readWorkingDirectory(pid: number): WorkingDirectory {
  const link = `/proc/${pid}/cwd`;
  try {
    return { kind: "known", path: readlinkSync(link), id: directoryId(link) };
  } catch (thrown) {
    return codeOf(thrown) === "EACCES" || codeOf(thrown) === "EPERM" ? { kind: "denied" } : null;
  }
}

/** The user that a process runs as, or that owns a directory; null when there is none. */
export function ownerOf(path: string): number | null {
  try {
    return statSync(path).uid;
  } catch {
    return null;
  }
}

/** Device and inode; null when there is nothing. */
export function directoryId(path: string): string | null {
  const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stats === undefined ? null : `${stats.dev}:${stats.ino}`;
}

/** "mnt:[4026531841]"; null when it may not be seen. */
export function readMountNamespace(pid: number | "self"): string | null {
  try {
    return readlinkSync(`/proc/${pid}/ns/mnt`);
  } catch {
    return null;
  }
}

/** The words that it was started with; none where that may not be seen, or it has ended. */
export function readCommandLine(pid: number): string[] {
  return read(`/proc/${pid}/cmdline`)?.split("\0") ?? [];
}

/**
 * Whether it was stopped by a signal, or is held by a debugger: it does nothing until it goes on.
 */
export function isStopped({ state }: Pick<ProcessStat, "state">): boolean {
  return state === "T" || state === "t";
}

/**
 * Whether each of its threads has stopped, or there are none left. The kernel stops one after the
 * other, and only after the signal's sender was let go: until then the rest goes on working.
 */
export function standsStill(pid: number): boolean {
  return listThreads(pid).every((thread) => {
    const stat = parseStat(read(`/proc/${pid}/task/${thread}/stat`) ?? "");
    return stat === null || isStopped(stat) || stat.state === "Z" || stat.state === "X";
  });
}

function listThreads(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

/** Changes with each boot; "" where the kernel does not tell. */
export function readBootId(): string {
  return read("/proc/sys/kernel/random/boot_id")?.trim() ?? "";
}

function read(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}
