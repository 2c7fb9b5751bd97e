// Which processes of this machine belong to a test cluster: those that work below its directory
// (PostgreSQL) and those that were started with its name on their command line (agents, commands,
// initdb).
import { readFileSync, readdirSync, readlinkSync } from "node:fs";

export interface FoundProcess {
  readonly pid: number;
  readonly parent: number;
  /** The command line, or the kernel's name for it. */
  readonly command: string;
  /** It was stopped by a signal. */
  readonly isHeld: boolean;
}

/** Dead ones that nobody has waited for are not counted. */
export function findClusterProcesses(dir: string): FoundProcess[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((name) => {
      const found = look(Number(name));
      return found !== null && belongsTo(found, dir) ? [found] : [];
    });
}

/** The postmaster's and its children's numbers, of the server on this data directory. */
export function findServerPids(dataDir: string): number[] {
  return findClusterProcesses(dataDir)
    .filter(({ pid }) => isBelow(directoryOf(pid), dataDir))
    .map(({ pid }) => pid);
}

export function isAlive(pid: number): boolean {
  return look(pid) !== null;
}

/**
 * Sends a signal; a process that has ended meanwhile is no failure. @throws Error for 0, which
 * would be the test's own process group.
 */
export function signal(pid: number, name: NodeJS.Signals): void {
  if (pid <= 0) throw new Error(`${pid} is no process that could be sent ${name}`);
  try {
    process.kill(pid, name);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== "ESRCH") throw thrown;
  }
}

function look(pid: number): FoundProcess | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (state === "Z" || state === "X") return null;
    const name = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
    const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").join(" ").trim();
    const isHeld = state === "T" || state === "t";
    return { pid, parent: Number(parent), command: words === "" ? name : words, isHeld };
  } catch {
    return null; // it has ended, or is another user's
  }
}

function belongsTo({ pid, command }: FoundProcess, dir: string): boolean {
  return isBelow(directoryOf(pid), dir) || command.includes(dir);
}

/**
 * Null for another user's process. A directory that was removed under it has " (deleted)" after its
 * name.
 */
function directoryOf(pid: number): string | null {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return null;
  }
}

function isBelow(path: string | null, dir: string): boolean {
  return (
    path !== null && (path === dir || path.startsWith(`${dir}/`) || path === `${dir} (deleted)`)
  );
}
