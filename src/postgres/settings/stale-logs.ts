// The server begins a log file anew only when midnight finds it running. A member that is taken
// down each evening would append to the same seven files for ever; so what is a week old is removed
// before a start.
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { codeOf } from "../../core/errors.ts";

const STALE_AFTER_MS = 6 * 24 * 3_600_000;

/**
 * @returns the names of the files that were removed. A directory that is not there yet has none.
 */
export async function removeStaleLogs(options: { logDir: string; now: Date }): Promise<string[]> {
  const removed: string[] = [];
  for (const name of await serverLogs(options.logDir)) {
    const path = join(options.logDir, name);
    const { mtimeMs } = await stat(path);
    if (options.now.getTime() - mtimeMs < STALE_AFTER_MS) continue;
    await rm(path, { force: true });
    removed.push(name);
  }
  return removed;
}

/** The names that log_filename makes: "postgresql-Mon.log". */
async function serverLogs(logDir: string): Promise<string[]> {
  try {
    return (await readdir(logDir)).filter((name) => /^postgresql-[A-Za-z]{3}\.log$/.test(name));
  } catch (thrown) {
    if (codeOf(thrown) === "ENOENT") return [];
    throw thrown;
  }
}
