// postgresql.auto.conf, which ALTER SYSTEM writes into the data directory: it wins over our file,
// on one member only, and travels with each clone. What Understudy manages is taken out of it
// before a start.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { codeOf } from "../../core/errors.ts";
import { findManaged } from "./managed.ts";
import { writeSettingsFile } from "./write-settings.ts";

/**
 * For a server that is not running: a running one writes the file itself.
 * @returns the names that were taken out.
 * @throws UnderstudyError DISK_FULL or DIRECTORY_NOT_WRITABLE.
 */
export async function clearManagedAutoConf(dataDir: string): Promise<string[]> {
  const path = join(dataDir, "postgresql.auto.conf");
  let present: string;
  try {
    present = await readFile(path, "utf8");
  } catch (thrown) {
    if (codeOf(thrown) === "ENOENT") return [];
    throw thrown;
  }
  const { text, removed } = withoutManaged(present);
  if (removed.length > 0) await writeSettingsFile(path, { text });
  return removed;
}

/** Settings that a user may choose stay: they are the user's. */
export function withoutManaged(text: string): { text: string; removed: string[] } {
  const removed: string[] = [];
  const kept = text.split("\n").filter((line) => {
    const name = /^\s*([A-Za-z_][\w$.]*)\s*(=|\s)/.exec(line)?.[1];
    const setting = name === undefined ? undefined : findManaged(name);
    if (setting === undefined || setting.user === "free") return true;
    removed.push(setting.name);
    return false;
  });
  return { text: kept.join("\n"), removed };
}
