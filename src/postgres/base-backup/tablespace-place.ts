// Where the tablespaces of a copy go: never where the source has them, because members on one
// machine would share them. Each gets a directory named by its oid below the member's own root.
import { mkdir, readdir, rm } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { UnderstudyError, codeOf } from "../../core/errors.ts";
import type { BackupTablespace } from "./backup-stream.ts";

/** What PostgreSQL makes in a tablespace: "PG_15_202209061". */
const VERSION_DIRECTORY = /^PG_\d+(\.\d+)?_\d+$/;

/**
 * @returns null for the data directory itself and for a tablespace that lies inside of it (a
 * relative location: allow_in_place_tablespaces).
 */
export function tablespacePlace(root: string, tablespace: BackupTablespace): string | null {
  const { oid, location } = tablespace;
  return oid === null || location === null || !isAbsolute(location)
    ? null
    : join(root, String(oid));
}

/**
 * Makes the directory; what an earlier copy left in it is removed.
 * @throws UnderstudyError DIRECTORY_NOT_OURS when it holds anything but a tablespace's files.
 */
export async function prepareTablespace(place: string): Promise<void> {
  await mkdir(place, { recursive: true, mode: 0o700 });
  const entries = await readdir(place);
  const foreign = entries.find((entry) => !VERSION_DIRECTORY.test(entry));
  if (foreign !== undefined)
    throw new UnderstudyError(
      "DIRECTORY_NOT_OURS",
      `cannot put a tablespace into ${place}: ${foreign} in it is not a tablespace's`,
    );
  await clearTablespace(place);
}

/** Removes the contents, so that a mount point may stay. */
export async function clearTablespace(place: string): Promise<void> {
  for (const entry of await entriesOf(place))
    await rm(join(place, entry), { recursive: true, force: true });
}

/** Nothing for a directory that is not there. */
export async function entriesOf(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return [];
    throw cause;
  }
}
