// The file postmaster.pid, which a server keeps in its data directory while it lives. It imports
// next to nothing: the deadman reads it too, and is to stay small.
import { readFile } from "node:fs/promises";
import { join } from "node:path";

/**
 * The lock file of a server (manual, 68.1; src/include/utils/pidfile.h has the order of its lines).
 * Read only: removing it would let a second server start beside orphans of the first
 * (postgres-facts, 5). The one exception, with its proof, is in stale-pid-file.ts.
 */
export interface PostmasterPid {
  readonly pid: number;
  /** Started by hand with --single: no server. */
  readonly singleUser: boolean;
  readonly dataDir: string;
  /** Wall clock, seconds since 1970. */
  readonly startedAt: number;
  /** 0 in single-user mode. */
  readonly port: number;
  readonly socketDir: string | null;
  readonly listenAddress: string | null;
  /** As the server last wrote it; null while it has not got that far. */
  readonly status: PostmasterStatus | null;
}

/**
 * "ready": takes connections, if only for reading; "standby": is up and takes none (hot_standby is
 * off).
 */
export type PostmasterStatus = "starting" | "stopping" | "ready" | "standby";

/** @returns null when the file is empty, cut off or damaged: it is written in place. */
export function parsePostmasterPid(text: string): PostmasterPid | null {
  const [first = "", dataDir = "", started = "", port = "", socketDir, address, , status] = text
    .split("\n")
    .map((line) => line.trim());
  if (!/^-?[1-9]\d*$/.test(first) || dataDir === "" || !/^\d+$/.test(started)) return null;
  const pid = Number(first);
  return {
    pid: Math.abs(pid),
    singleUser: pid < 0,
    dataDir,
    startedAt: Number(started),
    port: /^\d+$/.test(port) ? Number(port) : 0,
    socketDir: socketDir || null,
    listenAddress: address || null,
    status: isStatus(status) ? status : null,
  };
}

/**
 * @returns null when there is none, or it is not complete. It may be left over from a server that
 * was killed.
 */
export async function readPostmasterPid(dataDir: string): Promise<PostmasterPid | null> {
  return readFile(join(dataDir, "postmaster.pid"), "utf8").then(parsePostmasterPid, () => null);
}

function isStatus(text: string | undefined): text is PostmasterStatus {
  return text === "starting" || text === "stopping" || text === "ready" || text === "standby";
}
