// A layer of an image: a tree of files as a compressed tar archive, the same bytes for the same
// tree.
import { createHash } from "node:crypto";
import { constants, gzipSync } from "node:zlib";
import { packTar } from "modern-tar";
import type { Entry } from "./tree.ts";

export interface Layer {
  /** Compressed. */
  readonly bytes: Buffer;
  /** Of the compressed archive: "sha256:...". */
  readonly digest: string;
  /** Of the archive itself. */
  readonly diffId: string;
}

/** Every file has it: not the time at which the image happened to be built. */
export const FIXED_TIME = new Date(0);

/** @param entries complete and sorted; see completeTree. */
export async function packLayer(entries: readonly Entry[]): Promise<Layer> {
  const archive = await packTar(
    entries.map((entry) => ({
      header: {
        name: entry.kind === "directory" ? `${entry.path}/` : entry.path,
        type: entry.kind === "link" ? ("symlink" as const) : entry.kind,
        size: entry.kind === "file" ? entry.bytes.length : 0,
        mode: entry.kind === "link" ? 0o777 : entry.mode,
        mtime: FIXED_TIME,
        uid: 0,
        gid: 0,
        uname: "",
        gname: "",
        ...(entry.kind === "link" ? { linkname: entry.target } : {}),
      },
      ...(entry.kind === "file" ? { body: entry.bytes } : {}),
    })),
  );
  // zlib writes neither a name nor a time into the header.
  const bytes = gzipSync(archive, { level: constants.Z_DEFAULT_COMPRESSION });
  return { bytes, digest: digestOf(bytes), diffId: digestOf(archive) };
}

export function digestOf(bytes: Uint8Array | string): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
