import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { UnderstudyError } from "../../core/errors.ts";
import { type WrittenFile, manifestChecksum, verifyManifest } from "./manifest.ts";

const FILES = [
  ["PG_VERSION", 3, "1a2b3c4d"],
  ["pg_tblspc/16384/PG_15_202209061/5/16385", 8192, "00000000"],
] as const;

/** Laid out as PostgreSQL does: the last line holds the checksum of what is before it. */
function manifest(files: readonly (readonly [string, number, string])[] = FILES): Buffer {
  const lines = files.map(
    ([path, size, checksum]) =>
      `{ "Path": ${JSON.stringify(path)}, "Size": ${size}, "Last-Modified": "2026-11-22 12:00:00 GMT", "Checksum-Algorithm": "CRC32C", "Checksum": "${checksum}" }`,
  );
  const body = `{ "PostgreSQL-Backup-Manifest-Version": 1,\n"Files": [\n${lines.join(",\n")}\n],\n"WAL-Ranges": [\n],\n`;
  const own = createHash("sha256").update(body).digest("hex");
  return Buffer.from(`${body}"Manifest-Checksum": "${own}"}\n`);
}

function written(changes: Record<string, WrittenFile | null> = {}): Map<string, WrittenFile> {
  const files = new Map<string, WrittenFile>(
    FILES.map(([path, size, checksum]) => [path, { size, checksum }]),
  );
  for (const [path, file] of Object.entries(changes))
    if (file) files.set(path, file);
    else files.delete(path);
  return files;
}

function refused(bytes: Buffer, files: Map<string, WrittenFile>, message: RegExp): void {
  assert.throws(
    () => verifyManifest(bytes, files),
    (error) =>
      error instanceof UnderstudyError &&
      error.code === "BACKUP_CORRUPT" &&
      message.test(error.message),
  );
}

test("a copy that agrees with its manifest passes", () => {
  verifyManifest(manifest(), written());
});

test("each way to disagree is named with its file", () => {
  const good = { size: 3, checksum: "1a2b3c4d" };
  refused(
    manifest(),
    written({ PG_VERSION: null }),
    /PG_VERSION is in the manifest but was not sent/,
  );
  refused(
    manifest(),
    written({ PG_VERSION: { ...good, size: 4 } }),
    /PG_VERSION has 4 bytes instead of 3/,
  );
  refused(
    manifest(),
    written({ PG_VERSION: { ...good, checksum: "1a2b3c4e" } }),
    /PG_VERSION has the checksum 1a2b3c4e instead of 1a2b3c4d/,
  );
  refused(manifest(), written({ surplus: good }), /surplus is not in the manifest/);
});

test("a manifest that was changed or cut on the way is refused", () => {
  const changed = manifest();
  changed[changed.indexOf("8192")] = 0x39;
  refused(changed, written(), /the manifest's own checksum is/);
  refused(manifest().subarray(0, -30), written(), /does not end in its checksum/);
  refused(Buffer.alloc(0), written(), /does not end in its checksum/);
});

test("a checksum is printed as the server's memory has it", () => {
  assert.equal(manifestChecksum(0xe3069283), "839206e3");
  assert.equal(manifestChecksum(1), "01000000");
});
