// Writes the files of a base backup as they stream in: many small ones at a time, big ones in writes of a megabyte,
// and never more in memory than a bound. The caller stops feeding while `full` is true. Everything written is also
// pushed to the disk (fsync) before `finish` returns.
import { chmodSync, mkdirSync, symlinkSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { UnderstudyError, codeOf } from "../../core/errors.ts";
import { type Crc32cEngine, crcOfState } from "./crc32c-engine.ts";
import { type WrittenFile, manifestChecksum } from "./manifest.ts";
import { SlabPool } from "./slab-pool.ts";
import { type TarEntry, type TarHandler, tarPath } from "./tar-reader.ts";

/** Megabytes of memory for bytes on their way to the disk. */
const SLABS = 16;
const OPEN_FILES_LIMIT = 64;

export interface TreeWriterOptions {
  /** Also readable by the group, as on the source (11+). */
  readonly groupAccess: boolean;
  /** Takes a checksum of each file, for the manifest; null where there is none. */
  readonly checksums: Crc32cEngine | null;
  /** A write failed; said once, in the middle of the stream. */
  readonly onError: (error: unknown) => void;
  /** There is room again after `full` was true. */
  readonly onRoom: () => void;
}

export interface ArchiveTarget {
  /** Absolute; exists. */
  readonly directory: string;
  /** What the manifest puts before the names: "" or "pg_tblspc/16384/". */
  readonly prefix: string;
  /** Where the link of a tablespace leads to in the copy. Only the data directory itself has any. */
  readonly linkTarget: (oid: number) => string | undefined;
}

/** A file that is being written; `chain` is what is on its way to the disk. */
interface OpenFile {
  readonly path: string;
  readonly name: string;
  readonly opened: Promise<FileHandle>;
  /** State of its checksum. */
  crc: number;
  position: number;
  chain: Promise<void>;
}

export class TreeWriter {
  /** What was written so far, by the manifest's names. */
  readonly files = new Map<string, WrittenFile>();
  /** Absolute paths of all directories made, parents before children. */
  readonly directories: string[] = [];
  readonly #options: TreeWriterOptions;
  readonly #inFlight = new Set<Promise<void>>();
  readonly #slabs = new SlabPool(SLABS);
  #wasFull = false;
  #failed = false;
  #bytes = 0;

  constructor(options: TreeWriterOptions) {
    this.#options = options;
  }

  /** Bytes of file contents that have arrived. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Too much is on its way to the disk: stop feeding until `onRoom`. */
  get full(): boolean {
    this.#wasFull ||= this.#slabs.full || this.#inFlight.size > OPEN_FILES_LIMIT;
    return this.#wasFull;
  }

  /** What unpacks one archive into a directory. */
  unpack(target: ArchiveTarget): TarHandler {
    let file: OpenFile | null = null;
    return {
      entry: (entry) => {
        file = this.#begin(target, entry);
      },
      data: (chunk) => {
        this.#bytes += chunk.length;
        if (file) this.#append(file, chunk);
      },
      end: () => {
        if (file) this.#close(file);
        file = null;
      },
    };
  }

  makeDirectory(path: string): void {
    const mode = this.#options.groupAccess ? 0o750 : 0o700;
    mkdirSync(path, { mode, recursive: true });
    // The process's umask may have taken the group's bits away.
    if (this.#options.groupAccess) chmodSync(path, mode);
    this.directories.push(path);
  }

  /** A file that is no part of the archives (the manifest itself). */
  addFile(path: string, content: Uint8Array): void {
    const file = this.#open(path, path);
    this.#append(file, content);
    this.#finishFile(file, () => {});
  }

  /** Waits for everything that is under way. */
  async finish(): Promise<void> {
    while (this.#inFlight.size > 0) await Promise.all(this.#inFlight);
  }

  #begin(target: ArchiveTarget, entry: TarEntry): OpenFile | null {
    const name = tarPath(entry.name, { code: "BACKUP_CORRUPT", source: "the base backup" });
    const path = name === "" ? target.directory : `${target.directory}/${name}`;
    if (entry.type === "directory") {
      if (name !== "") this.makeDirectory(path);
      return null;
    }
    if (entry.type === "file" && name !== "") return this.#open(path, target.prefix + name);
    this.#link(target, { name, path, type: entry.type });
    return null;
  }

  /** Links lead to tablespaces and nowhere else: any other could lead a later entry out of the copy. */
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

  #open(path: string, name: string): OpenFile {
    // Exclusive: an archive that names a file twice, or through a link, is not one that PostgreSQL makes.
    const opened = open(path, "wx", this.#options.groupAccess ? 0o640 : 0o600);
    const start = opened.then((handle) =>
      this.#options.groupAccess ? handle.chmod(0o640) : undefined,
    );
    const file = { path, name, opened, crc: -1, position: 0, chain: start };
    // A failure is taken up where the chain ends; until then it must not count as unhandled.
    start.catch(() => {});
    return file;
  }

  #append(file: OpenFile, chunk: Uint8Array): void {
    const { checksums } = this.#options;
    if (checksums) file.crc = checksums.update(file.crc, chunk);
    for (let offset = 0; offset < chunk.length;) {
      const taken = this.#slabs.put(offset === 0 ? chunk : chunk.subarray(offset));
      offset += taken;
      // The slab is full.
      if (offset < chunk.length) this.#flush(file);
    }
  }

  #flush(file: OpenFile): void {
    const run = this.#slabs.takeRun();
    if (run === null) return;
    const { position } = file;
    file.position += run.bytes.length;
    const write = file.chain.then(async () => {
      if (!this.#failed) await writeFully(await file.opened, run.bytes, position);
    });
    file.chain = write.finally(() => {
      run.release();
      this.#signalRoom();
    });
    file.chain.catch((error: unknown) => this.#fail(error));
  }

  #close(file: OpenFile): void {
    this.#finishFile(file, () => {
      this.files.set(file.name, {
        size: file.position,
        checksum: this.#options.checksums ? manifestChecksum(crcOfState(file.crc)) : "",
      });
    });
  }

  #finishFile(file: OpenFile, record: () => void): void {
    this.#flush(file);
    record();
    const task = this.#settle(file)
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#inFlight.delete(task);
        this.#signalRoom();
      });
    this.#inFlight.add(task);
  }

  async #settle(file: OpenFile): Promise<void> {
    try {
      await file.chain;
      // Now, not at the end: the disk works while the rest is still coming (measured: a third less time).
      if (!this.#failed) await (await file.opened).sync();
    } finally {
      const handle = await file.opened.catch(() => null);
      await handle?.close();
    }
  }

  #signalRoom(): void {
    if (!this.#wasFull || this.#failed) return;
    if (!this.#slabs.roomy || this.#inFlight.size > OPEN_FILES_LIMIT / 2) return;
    this.#wasFull = false;
    this.#options.onRoom();
  }

  #fail(error: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#options.onError(
      codeOf(error) === "EEXIST"
        ? new UnderstudyError("BACKUP_CORRUPT", "the base backup holds a file twice", {
            cause: error,
          })
        : error,
    );
  }
}

/** The system may take less than it is given. */
async function writeFully(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}
