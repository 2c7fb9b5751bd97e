// Runs programs as a container does: a root of their own, which is read-only, a mount and a PID
// namespace of their own, volumes, one user without any capability. Not the network and no control
// groups. As root; an ordinary user is himself, as the only user that there is.
import { spawn, type ChildProcess } from "node:child_process";
import { mkdir, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { readChildren } from "../../src/postgres/proc.ts";

export const IS_ROOT = process.getuid?.() === 0;
const LIMIT_MS = 200_000;
/** chroot needs them once more; a process that is not root any more has none. */
const KEPT = "-all,+sys_chroot,+setuid,+setgid";

export interface Container {
  readonly root: string;
  /** For root; 70 is that of postgres in Alpine's images. */
  readonly uid: number;
  readonly volumes?: readonly Volume[];
  readonly env?: Readonly<Record<string, string>>;
}

export interface Volume {
  readonly source: string;
  readonly target: string;
  readonly writable?: true;
}

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end; as the container's first process. */
export async function runIn(container: Container, command: readonly string[]): Promise<Ended> {
  const child = startIn(container, command);
  const stdout: string[] = [];
  const stderr: string[] = [];
  child.stdout?.on("data", (chunk: Buffer) => stdout.push(chunk.toString("utf8")));
  child.stderr?.on("data", (chunk: Buffer) => stderr.push(chunk.toString("utf8")));
  const limit = setTimeout(() => endContainer(child), LIMIT_MS);
  const status = await new Promise<number | null>((resolve) => child.once("close", resolve));
  clearTimeout(limit);
  return { status, stdout: stdout.join(""), stderr: stderr.join("") };
}

/** @returns unshare itself: the container's first process is its only child. */
export function startIn(container: Container, command: readonly string[]): ChildProcess {
  const { root, uid, volumes = [], env = {} } = container;
  const mounts = volumes.map(({ source, target, writable }) => {
    const mount = `mount --bind '${source}' '${root}${target}'`;
    return writable ? mount : `${mount}; mount -o remount,bind,ro '${root}${target}'`;
  });
  const script = [
    "set -e",
    `mount --bind '${root}' '${root}'`,
    ...mounts,
    `mount -t proc proc '${root}/proc'`,
    `mount --rbind /dev '${root}/dev'`,
    `mount -o remount,bind,ro '${root}'`,
    `exec "$@"`,
  ].join("\n");
  const become = IS_ROOT
    ? ["setpriv", "--no-new-privs", `--bounding-set=${KEPT}`, "/usr/sbin/chroot"]
    : ["/usr/sbin/chroot"];
  const who = IS_ROOT ? [`--userspec=${uid}:${uid}`, "--groups="] : [];
  const spaces = ["--mount", "--pid", "--fork", "--propagation=private"];
  const args = [...(IS_ROOT ? [] : ["--map-root-user"]), ...spaces, "sh", "-c", script, "sh"];
  return spawn("unshare", [...args, ...become, ...who, root, ...command], {
    env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", ...env },
    cwd: "/",
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/**
 * With its first process everything in it ends. The process that started it cannot be used for
 * that: a change of the user takes the signal back that the kernel sends at a parent's death.
 */
export function endContainer(started: ChildProcess): void {
  const isRunning = started.exitCode === null && started.signalCode === null;
  for (const first of isRunning ? (readChildren(started.pid ?? 0) ?? []) : [])
    process.kill(first, "SIGKILL");
}

/** Empty places for what is mounted there. */
export async function emptyRoot(root: string, places: readonly string[] = []): Promise<string> {
  for (const place of ["proc", "dev", "etc", "tmp", "opt/understudy", ...places])
    await mkdir(join(root, place), { recursive: true });
  return root;
}

export async function link(path: string, target: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await symlink(target, path);
}
