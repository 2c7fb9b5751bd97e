// Makes many files durable. Several at a time, so that a journalling file system writes them in
// common commits.
import { closeSync, fsync, openSync } from "node:fs";

const AT_A_TIME = 4;

/** fsync of each path, in any order. @throws the signal's reason, or the system's error. */
export async function syncPaths(paths: readonly string[], signal: AbortSignal): Promise<void> {
  const rest = paths.values();
  const worker = async (): Promise<void> => {
    // One iterator for all workers: each takes the next path that nobody has taken.
    for (const path of rest) {
      signal.throwIfAborted();
      await syncPath(path);
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, worker));
}

/**
 * Only the wait for the disk is given to another thread: with opening and closing there as well, a
 * small cluster's thousand files cost twice the processor time of the whole copy.
 */
async function syncPath(path: string): Promise<void> {
  const descriptor = openSync(path, "r");
  try {
    await new Promise<void>((resolve, reject) => {
      fsync(descriptor, (error) => (error === null ? resolve() : reject(error)));
    });
  } finally {
    closeSync(descriptor);
  }
}
