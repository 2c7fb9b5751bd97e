// Makes many files durable. Several at a time, so that a journalling file system writes them in common commits.
import { syncDirectory } from "./marker.ts";

const AT_A_TIME = 4;

/** fsync of each path, in any order. @throws the signal's reason, or the system's error. */
export async function syncPaths(paths: readonly string[], signal: AbortSignal): Promise<void> {
  const rest = paths.values();
  const worker = async (): Promise<void> => {
    // One iterator for all workers: each takes the next path that nobody has taken.
    for (const path of rest) {
      signal.throwIfAborted();
      await syncDirectory(path);
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, worker));
}
