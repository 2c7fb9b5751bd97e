// Puts a member's settings on disk: each file whole or not at all, readable by its owner only, and
// untouched where it already says the same.
import { chmod, readFile, stat } from "node:fs/promises";
import { UnderstudyError, codeOf, messageOf } from "../../core/errors.ts";
import { writeWhole } from "../write-whole.ts";

const OWNER_ONLY = 0o600;

/**
 * @returns the paths of the files that were changed: empty when everything was as it should be.
 * @throws UnderstudyError DISK_FULL or DIRECTORY_NOT_WRITABLE, naming the file.
 */
export async function writeSettings(files: ReadonlyMap<string, string>): Promise<string[]> {
  // At one time: a journalling file system makes them durable in one commit.
  const written = await Promise.all(
    [...files].map(async ([path, text]) =>
      (await writeSettingsFile(path, { text })) ? [path] : [],
    ),
  );
  return written.flat();
}

/** The same for one file: whether it was changed. */
export async function writeSettingsFile(
  path: string,
  content: { readonly text: string },
): Promise<boolean> {
  try {
    if (await holds(path, content.text)) return false;
    await writeWhole(path, content.text);
    return true;
  } catch (cause) {
    const full = codeOf(cause) === "ENOSPC" || codeOf(cause) === "EDQUOT";
    throw new UnderstudyError(
      full ? "DISK_FULL" : "DIRECTORY_NOT_WRITABLE",
      `cannot write ${path}: ${messageOf(cause)}`,
      { cause, details: { path, code: codeOf(cause) ?? null } },
    );
  }
}

async function holds(path: string, text: string): Promise<boolean> {
  try {
    if ((await readFile(path, "utf8")) !== text) return false;
    // libpq ignores a passfile that others may read: the mode is part of what the file says.
    if (((await stat(path)).mode & 0o777) !== OWNER_ONLY) await chmod(path, OWNER_ONLY);
    return true;
  } catch (thrown) {
    if (codeOf(thrown) === "ENOENT") return false;
    throw thrown;
  }
}
