// Writes the files of a base backup as they stream in, straight from the socket's buffer while it
// is in the processor's cache: each byte is touched once, memory stays flat, and a slow disk holds
// up the socket by itself. Writes are synchronous for that reason: handing them to other threads
// cost twice the time of the whole copy. Nothing is synced here: an fsync in the middle holds up
// all other writes of a journalling file system.
import {
  chmodSync,
  close,
  closeSync,
  fchmodSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  symlinkSync,
  writeSync,
} from "node:fs";
import { UnderstudyError, codeOf } from "../../core/errors.ts";
import { type Crc32cEngine, crcOfState } from "./crc32c-engine.ts";
import { type WrittenFile, manifestChecksum } from "./manifest.ts";
import { type TarEntry, type TarHandler, tarPath } from "./tar-reader.ts";

const BIG_BYTES = 1 << 20;

export interface TreeWriterOptions {
  /** Also readable by the group, as on the source (11+). */
  readonly groupAccess: boolean;
  /** Takes a checksum of each file, for the manifest; null where there is none. */
  readonly checksums: Crc32cEngine | null;
}

export interface ArchiveTarget {
  /** Absolute; exists. */
  readonly directory: string;
  /** What the manifest puts before the names: "" or "pg_tblspc/16384/". */
  readonly prefix: string;
  /**
   * Where the link of a tablespace leads to in the copy. Only the data directory itself has any.
   */
  readonly linkTarget: (oid: number) => string | undefined;
}

interface OpenFile {
  readonly name: string;
  readonly descriptor: number;
  size: number;
  /** State of its checksum. */
  crc: number;
}

/** Every method throws the system's error when the disk refuses. */
export class TreeWriter {
  /** What was written so far, by the manifest's names. */
  readonly files = new Map<string, WrittenFile>();
  /** Absolute paths of all directories made, parents before children. */
  readonly directories: string[] = [];
  /** Absolute paths of all files made. */
  readonly paths: string[] = [];
  readonly #options: TreeWriterOptions;
  readonly #closing = new Set<Promise<void>>();
  #current: OpenFile | null = null;
  #bytes = 0;

  constructor(options: TreeWriterOptions) {
    this.#options = options;
  }

  /** Bytes of file contents that were written. */
  get bytes(): number {
    return this.#bytes;
  }

  /** What unpacks one archive into a directory; one at a time. */
  unpack(target: ArchiveTarget): TarHandler {
    return {
      entry: (entry) => this.#begin(target, entry),
      data: (chunk) => {
        if (this.#current) this.#write(this.#current, chunk);
      },
      end: () => {
        if (this.#current) this.#finish(this.#current);
      },
    };
  }

  /** One that is there already only gets its mode and is synced with the others. */
  makeDirectory(path: string): void {
    const mode = this.#options.groupAccess ? 0o750 : 0o700;
    mkdirSync(path, { mode, recursive: true });
    // The process's umask may have taken the group's bits away.
    if (this.#options.groupAccess) chmodSync(path, mode);
    this.directories.push(path);
  }

  /** A file that is no part of the archives (the manifest itself). */
  addFile(path: string, content: Uint8Array): void {
    const file = this.#open({ path, name: path });
    this.#write(file, content);
    this.#closeCurrent();
  }

  /** Closes everything, also a file that was left half written. */
  async close(): Promise<void> {
    this.#closeCurrent();
    await Promise.all(this.#closing);
  }

  #closeCurrent(): void {
    const file = this.#current;
    this.#current = null;
    if (file === null) return;
    if (file.size < BIG_BYTES) closeSync(file.descriptor);
    else this.#closeInBackground(file.descriptor);
  }

  /** Closing a big file may wait for the disk, which begins to write it then. */
  #closeInBackground(descriptor: number): void {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    close(descriptor, (error) => (error ? reject(error) : resolve()));
    this.#closing.add(promise);
    promise.then(
      () => this.#closing.delete(promise),
      () => {},
    );
  }

  #begin(target: ArchiveTarget, entry: TarEntry): void {
    const name = tarPath(entry.name, { code: "BACKUP_CORRUPT", source: "the base backup" });
    const path = name === "" ? target.directory : `${target.directory}/${name}`;
    if (entry.type === "directory") {
      if (name !== "") this.makeDirectory(path);
    } else if (entry.type === "file" && name !== "")
      this.#open({ path, name: target.prefix + name });
    else this.#link(target, { name, path, type: entry.type });
  }

  /**
   * Links lead to tablespaces and nowhere else: any other could lead a later entry out of the copy.
   */
  #link(target: ArchiveTarget, link: { name: string; path: string; type: string }): void {
    const oid = /^pg_tblspc\/(\d+)$/.exec(link.name)?.[1];
    const place = oid === undefined ? undefined : target.linkTarget(Number(oid));
    if (link.type !== "symlink" || place === undefined)
      throw new UnderstudyError(
        "BACKUP_CORRUPT",
        `cannot unpack the base backup: ${link.name} is a ${link.type} that has no place in a data directory`,
      );
    symlinkSync(place, link.path);
  }

  #open({ path, name }: { path: string; name: string }): OpenFile {
    const descriptor = this.#create(path);
    const file = { name, descriptor, size: 0, crc: -1 };
    this.#current = file;
    this.paths.push(path);
    if (this.#options.groupAccess) fchmodSync(descriptor, 0o640);
    // Changes nothing but ext4's mind: it begins to write a truncated file to the disk when it is
    // closed, instead of when it is synced, so that the disk works while the rest is still coming
    // (the syncs take half the time then).
    ftruncateSync(descriptor, 0);
    return file;
  }

  /**
   * Exclusive: an archive that names a file twice, or through a link, is not one that PostgreSQL
   * makes.
   */
  #create(path: string): number {
    try {
      return openSync(path, "wx", this.#options.groupAccess ? 0o640 : 0o600);
    } catch (cause) {
      if (codeOf(cause) !== "EEXIST") throw cause;
      throw new UnderstudyError("BACKUP_CORRUPT", `the base backup holds ${path} twice`, { cause });
    }
  }

  #write(file: OpenFile, chunk: Uint8Array): void {
    const { checksums } = this.#options;
    if (checksums) file.crc = checksums.update(file.crc, chunk);
    // The system may take less than it is given.
    for (let done = 0; done < chunk.length;)
      done += writeSync(file.descriptor, chunk, done, chunk.length - done);
    file.size += chunk.length;
    this.#bytes += chunk.length;
  }

  #finish(file: OpenFile): void {
    this.#closeCurrent();
    this.files.set(file.name, {
      size: file.size,
      checksum: this.#options.checksums ? manifestChecksum(crcOfState(file.crc)) : "",
    });
  }
}
