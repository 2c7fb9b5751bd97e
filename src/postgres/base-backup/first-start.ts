// How a server is started on a copy for the first time. PostgreSQL begins there by making every
// file durable, as after a crash (recovery_init_sync_method, 20.14; the setting came with 14): of a
// copy that has just been made so, that is the same work once more, file by file.
import { readFile } from "node:fs/promises";
import type { Major } from "../../core/spec.ts";
import { factsOf } from "../majors.ts";

/**
 * Syncing the file system at once takes in what other programs have written; beyond this, waiting
 * for them may take longer than the files.
 */
const MOST_UNWRITTEN_BYTES = 256 * 1024 * 1024;

/** Arguments for that one start. */
export async function firstStartArguments(major: Major): Promise<readonly string[]> {
  if (!factsOf(major).recoveryInitSyncMethod || process.platform !== "linux") return [];
  const unwritten = unwrittenBytes(await readFile("/proc/meminfo", "utf8").catch(() => ""));
  const isLittle = unwritten !== null && unwritten <= MOST_UNWRITTEN_BYTES;
  return isLittle ? ["-c", "recovery_init_sync_method=syncfs"] : [];
}

/** What the kernel has still to write to any disk (proc_meminfo(5)); null where it does not say. */
export function unwrittenBytes(meminfo: string): number | null {
  const [dirty, writeback] = ["Dirty", "Writeback"].map((name) =>
    new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(meminfo),
  );
  if (dirty?.[1] === undefined || writeback?.[1] === undefined) return null;
  return (Number(dirty[1]) + Number(writeback[1])) * 1024;
}
