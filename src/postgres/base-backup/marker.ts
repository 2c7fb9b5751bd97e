// The write-ahead marker: a file beside a data directory, there from before its first byte changes
// until it is whole again. A member whose marker exists is half made and must never be started
// (lesson 27).
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { UnderstudyError, codeOf, messageOf } from "../../core/errors.ts";
import { syncDirectory } from "../sync-directory.ts";

export interface Marker {
  /** What is being made. */
  readonly operation: "initdb" | "clone" | "rewind";
  /** By whom: the process that began. */
  readonly pid: number;
  /** Since when, ISO 8601. For people only: nothing is decided by it. */
  readonly startedAt: string;
  /** Where the data comes from, "127.0.0.1:6431". */
  readonly source: string | null;
}

/** Beside the data directory, so that a swap of the directory leaves it in its place. */
export function markerPath(dataDir: string): string {
  return join(dirname(dataDir), `${basename(dataDir)}.unfinished`);
}

/** On disk (fsync of file and directory) when this returns. Replaces an older marker. */
export async function writeMarker(dataDir: string, marker: Marker): Promise<void> {
  const path = markerPath(dataDir);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.new`;
  const file = await open(temporary, "w", 0o600);
  try {
    await file.writeFile(`${JSON.stringify(marker)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  await syncDirectory(dirname(path));
}

/**
 * @returns null when the directory is not half made.
 * @throws UnderstudyError DATA_HALF_MADE when there is a marker that cannot be understood: the
 * directory is unusable whatever it says.
 */
export async function readMarker(dataDir: string): Promise<Marker | null> {
  const path = markerPath(dataDir);
  try {
    const parsed: unknown = JSON.parse(await readFile(path, "utf8"));
    if (!isMarker(parsed)) throw new Error("fields are missing");
    return parsed;
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return null;
    throw new UnderstudyError(
      "DATA_HALF_MADE",
      `${dataDir} is half made, and its marker ${path} cannot be read: ${messageOf(cause)}`,
      { cause },
    );
  }
}

/** The last step, after everything that it guards is on disk. */
export async function removeMarker(dataDir: string): Promise<void> {
  await rm(markerPath(dataDir), { force: true });
  await syncDirectory(dirname(dataDir));
}

function isMarker(value: unknown): value is Marker {
  return (
    typeof value === "object" &&
    value !== null &&
    "operation" in value &&
    typeof value.operation === "string" &&
    "pid" in value &&
    typeof value.pid === "number" &&
    "startedAt" in value &&
    typeof value.startedAt === "string" &&
    "source" in value
  );
}
