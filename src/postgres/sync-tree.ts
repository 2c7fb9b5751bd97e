// Makes a whole directory durable, with everything below it, as initdb does at its end.
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { syncPaths } from "./base-backup/sync-paths.ts";

/** Links are not followed. @throws the signal's reason, or the system's error. */
export async function syncTree(root: string, signal: AbortSignal): Promise<void> {
  const entries = await readdir(root, { withFileTypes: true, recursive: true });
  const pathsOf = (wanted: (entry: (typeof entries)[number]) => boolean) =>
    entries.filter(wanted).map((entry) => join(entry.parentPath, entry.name));
  await syncPaths(
    pathsOf((entry) => entry.isFile()),
    signal,
  );
  // Names last: a directory that is durable names only files that are.
  await syncPaths([...pathsOf((entry) => entry.isDirectory()), root], signal);
}
