// A small file that is there whole or not at all, also after a crash: temporary name, fsync,
// rename, fsync of the directory.
import { randomBytes } from "node:crypto";
import { open, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { syncDirectory } from "./sync-directory.ts";

/**
 * Replaces a file so that a reader, or a crash, sees the old one or the new one and nothing
 * between, and finds the new one from then on: also its name is synced. Mode 0600; written by root
 * it belongs to whom its directory belongs, so that the agents can read it.
 */
export async function writeWhole(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomBytes(4).toString("hex")}.tmp`;
  const owner = await stat(dirname(path));
  try {
    {
      await using file = await open(temporary, "wx", 0o600);
      if (process.getuid?.() === 0) await file.chown(owner.uid, owner.gid);
      await file.writeFile(text);
      await file.sync();
    }
    await rename(temporary, path);
  } catch (thrown) {
    // What is tried again on a full disk would leave one each time.
    await rm(temporary, { force: true });
    throw thrown;
  }
  await syncDirectory(dirname(path));
}
