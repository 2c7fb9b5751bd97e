// The backup manifest of PostgreSQL 13 and later: proves that every file arrived whole, and that
// the manifest itself did. (Manual, "Backup Manifest Format".) Pure: the sizes and checksums were
// taken while the files streamed by.
import { createHash } from "node:crypto";
import { UnderstudyError, messageOf } from "../../core/errors.ts";

/** What was written for one file. */
export interface WrittenFile {
  readonly size: number;
  /** CRC-32C as the manifest prints it. */
  readonly checksum: string;
}

interface ManifestFile extends WrittenFile {
  readonly path: string;
}

/**
 * @param written by path relative to the data directory; tablespaces are below pg_tblspc/OID
 * @throws UnderstudyError BACKUP_CORRUPT naming the first difference and, in details, how many
 * there are.
 */
export function verifyManifest(manifest: Buffer, written: ReadonlyMap<string, WrittenFile>): void {
  checkOwnChecksum(manifest);
  const listed = readFiles(manifest);
  const differences: string[] = [];
  const seen = new Set<string>();
  for (const file of listed) {
    seen.add(file.path);
    const difference = compare(file, written.get(file.path));
    if (difference !== null) differences.push(difference);
  }
  for (const path of written.keys())
    if (!seen.has(path)) differences.push(`${path} is not in the manifest`);
  const [first] = differences;
  if (first !== undefined)
    throw corrupt(first, { differences: differences.length, examples: differences.slice(0, 5) });
}

function compare(listed: ManifestFile, written: WrittenFile | undefined): string | null {
  if (!written) return `${listed.path} is in the manifest but was not sent`;
  if (written.size !== listed.size)
    return `${listed.path} has ${written.size} bytes instead of ${listed.size}`;
  if (written.checksum !== listed.checksum)
    return `${listed.path} has the checksum ${written.checksum} instead of ${listed.checksum}`;
  return null;
}

/** The last line holds the SHA-256 of everything before it. */
function checkOwnChecksum(manifest: Buffer): void {
  const body = manifest.lastIndexOf(0x0a, manifest.length - 2) + 1;
  const expected = /^"Manifest-Checksum": "([0-9a-f]{64})"\}\n$/.exec(
    manifest.toString("latin1", body),
  )?.[1];
  if (expected === undefined) throw corrupt("the manifest does not end in its checksum");
  const found = createHash("sha256").update(manifest.subarray(0, body)).digest("hex");
  if (found !== expected)
    throw corrupt(`the manifest's own checksum is ${found} instead of ${expected}`);
}

function readFiles(manifest: Buffer): ManifestFile[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(manifest.toString("utf8"));
  } catch (cause) {
    throw corrupt(`the manifest is not JSON: ${messageOf(cause)}`);
  }
  const files = isObject(parsed) ? parsed["Files"] : undefined;
  if (!Array.isArray(files)) throw corrupt("the manifest lists no files");
  return files.map(readFile);
}

function readFile(file: unknown): ManifestFile {
  if (isObject(file)) {
    const { Path: path, Size: size, Checksum: checksum, "Checksum-Algorithm": algorithm } = file;
    if (
      typeof path === "string" &&
      typeof size === "number" &&
      typeof checksum === "string" &&
      algorithm === "CRC32C"
    )
      return { path, size, checksum };
  }
  throw corrupt(`the manifest has an entry that cannot be read: ${JSON.stringify(file)}`);
}

/**
 * The manifest prints the checksum's four bytes as they lie in the (little-endian) server's memory.
 */
export function manifestChecksum(crc: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(crc);
  return bytes.toString("hex");
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function corrupt(reason: string, details: Record<string, unknown> = {}): UnderstudyError {
  return new UnderstudyError(
    "BACKUP_CORRUPT",
    `the base backup does not agree with its manifest: ${reason}`,
    { details },
  );
}
