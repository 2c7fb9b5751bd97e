// Room on the file systems that a base backup or rescued WAL goes to: refused before it starts
// where it cannot fit, and named with what it needs where it fills up on the way.
import { readFile, stat, statfs } from "node:fs/promises";
import { UnderstudyError, codeOf } from "../../core/errors.ts";

export interface SpaceNeed {
  /** An existing directory on the file system. */
  readonly path: string;
  readonly bytes: number;
  /** For the message; "the primary" where it is left out. */
  readonly what?: string;
}

/** Two WAL segments: a copy that fills the disk to its last byte cannot start. */
const HEADROOM = 32 * 1024 * 1024;

/**
 * @throws UnderstudyError DISK_FULL when a file system has less room than everything that goes
 * there.
 */
export async function requireSpace(needs: readonly SpaceNeed[]): Promise<void> {
  const byDevice = new Map<number, SpaceNeed>();
  for (const need of needs) {
    const { dev } = await stat(need.path);
    const bytes = need.bytes + (byDevice.get(dev)?.bytes ?? 0);
    byDevice.set(dev, { ...need, bytes });
  }
  for (const need of byDevice.values()) {
    const { bavail, bsize } = await statfs(need.path);
    if (bavail * bsize < need.bytes + HEADROOM) throw await diskFull(need);
  }
}

/** ENOSPC and EDQUOT of a write become DISK_FULL; anything else stays what it is. */
export async function explainFull(cause: unknown, need: SpaceNeed): Promise<unknown> {
  const code = codeOf(cause);
  return code === "ENOSPC" || code === "EDQUOT" ? await diskFull(need, cause) : cause;
}

async function diskFull(need: SpaceNeed, cause?: unknown): Promise<UnderstudyError> {
  const { bavail, bsize } = await statfs(need.path);
  const fileSystem = await fileSystemOf(need.path);
  const needed = need.bytes + HEADROOM;
  return new UnderstudyError(
    "DISK_FULL",
    `cannot copy ${need.what ?? "the primary"} to ${need.path}: ${fileSystem} has ${megabytes(bavail * bsize)} free, ` +
      `and the copy needs about ${megabytes(needed)}`,
    {
      ...(cause === undefined ? {} : { cause }),
      details: { fileSystem, neededBytes: needed, freeBytes: bavail * bsize },
      hint: `Make room on ${fileSystem}, or put the cluster elsewhere with --dir.`,
    },
  );
}

/**
 * "the file system /srv (tmpfs)": the longest mount point above the path, where the system tells
 * its mounts.
 */
async function fileSystemOf(path: string): Promise<string> {
  let best: { point: string; type: string } | null = null;
  for (const line of (await mounts()).split("\n")) {
    const [left = "", right = ""] = line.split(" - ");
    const point = (left.split(" ")[4] ?? "").replaceAll("\\040", " ");
    const inside = point === "/" || path === point || path.startsWith(`${point}/`);
    if (point !== "" && inside && point.length >= (best?.point.length ?? 0))
      best = { point, type: right.split(" ")[0] ?? "" };
  }
  return best === null
    ? `the file system of ${path}`
    : `the file system ${best.point} (${best.type})`;
}

/** Linux only; elsewhere the path itself names the file system. */
async function mounts(): Promise<string> {
  try {
    return await readFile("/proc/self/mountinfo", "utf8");
  } catch {
    return "";
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(0)} MiB`;
}
