// The lock file of a running server (manual, 68.1; src/include/utils/pidfile.h has the order of its lines). Read only:
// removing it would let a second server start beside orphans of the first (postgres-facts, 5).

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

/** "standby": takes read-only connections. */
export type PostmasterStatus = "starting" | "stopping" | "ready" | "standby";

/** @returns null when the file is empty, cut off or damaged: it is written in place. */
export function parsePostmasterPid(text: string): PostmasterPid | null {
  const [first = "", dataDir = "", started = "", port = "", socketDir, address, , status] = text
    .split("\n")
    .map((line) => line.trim());
  const pid = Number(first);
  if (!/^-?[1-9]\d*$/.test(first) || dataDir === "" || !/^\d+$/.test(started)) return null;
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

function isStatus(text: string | undefined): text is PostmasterStatus {
  return text === "starting" || text === "stopping" || text === "ready" || text === "standby";
}
