// A standby's spool: the directory in which its restore_command looks for WAL. What is there
// replaces the standby's own copy of it, so only whole files ever get their names there, and none
// is left from an earlier rescue (postgres-facts, 1).
import { constants } from "node:fs";
import { copyFile, mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { UnderstudyError, assert, codeOf, messageOf } from "../../core/errors.ts";
import { syncDirectory } from "../sync-directory.ts";

const CHUNK_BYTES = 1024 * 1024;

/**
 * Empties the spool, durably; again, or where there is none, it does nothing. To be called before
 * each start of a server and before anything but the rescue's own promotion may end its recovery:
 * an agent may have died in the middle of a rescue, and a segment that is older than the standby's
 * own would take WAL from it that it had received and confirmed. Directories are not removed:
 * nobody here makes any, and no server is given one.
 * @throws UnderstudyError DIRECTORY_NOT_WRITABLE: then no server may be started or promoted.
 */
export async function clearSpool(spoolDir: string): Promise<void> {
  try {
    const entries = await readdir(spoolDir, { withFileTypes: true });
    const files = entries.filter((entry) => !entry.isDirectory());
    if (files.length === 0) return;
    for (const { name } of files) await rm(join(spoolDir, name), { force: true });
    await syncDirectory(spoolDir);
  } catch (cause) {
    if (codeOf(cause) !== "ENOENT") throw unwritable(spoolDir, cause);
  }
}

/** Whether there is anything in it for a server to fetch. */
export async function isFilled(spoolDir: string): Promise<boolean> {
  try {
    return (await readdir(spoolDir)).length > 0;
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return false;
    throw cause;
  }
}

/** Makes an empty spool. @throws UnderstudyError DIRECTORY_NOT_WRITABLE. */
export async function openSpool(spoolDir: string): Promise<void> {
  try {
    await mkdir(spoolDir, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw unwritable(spoolDir, cause);
  }
  await clearSpool(spoolDir);
}

/**
 * Copies a file into the spool under its own name, which appears only when the copy is whole and on
 * disk: a server that is being promoted ends for good at a file of the wrong size (postgres-facts,
 * 1). A death in between leaves a name that no server asks for.
 * @param file.segment of WAL: how long it is, and how much of it is wanted. What follows is left
 * out: nobody can write while this is copied and synced here, and by the server once more.
 */
export async function addToSpool(
  spoolDir: string,
  file: { name: string; from: string; segment?: { bytes: number; wanted: number } },
): Promise<void> {
  const { from, segment } = file;
  const finished = join(spoolDir, file.name);
  const temporary = `${finished}.new`;
  await rm(temporary, { force: true });
  if (segment === undefined) await copyFile(from, temporary, constants.COPYFILE_EXCL);
  else if (!(await isCloned(from, temporary))) await copyBeginning(from, temporary, segment.wanted);
  const copy = await open(temporary, "r+");
  try {
    if (segment !== undefined) await copy.truncate(segment.bytes);
    await copy.sync();
  } finally {
    await copy.close();
  }
  await rename(temporary, finished);
  // Each one before the next: after a crash of the machine, too, there is no gap before a name.
  await syncDirectory(spoolDir);
}

/** Where the file system can share the blocks, a copy of any size costs nothing. */
async function isCloned(from: string, to: string): Promise<boolean> {
  try {
    await copyFile(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE_FORCE);
    return true;
  } catch {
    return false; // What else may be wrong with them shows in the copying.
  }
}

async function copyBeginning(from: string, to: string, bytes: number): Promise<void> {
  await using source = await open(from, "r");
  await using copy = await open(to, "w", 0o600);
  const buffer = Buffer.alloc(CHUNK_BYTES);
  for (let offset = 0; offset < bytes;) {
    const length = Math.min(CHUNK_BYTES, bytes - offset);
    const { bytesRead } = await source.read(buffer, 0, length, offset);
    assert(bytesRead > 0, `${from} has ${bytes} bytes at least, and not ${offset}`);
    await copy.writeFile(buffer.subarray(0, bytesRead));
    offset += bytesRead;
  }
}

function unwritable(spoolDir: string, cause: unknown): UnderstudyError {
  return new UnderstudyError(
    "DIRECTORY_NOT_WRITABLE",
    `cannot empty ${spoolDir}, whose files would replace WAL: ${messageOf(cause)}`,
    { cause, details: { path: spoolDir, code: codeOf(cause) ?? null } },
  );
}
