// What happens to a base backup on its way from the socket to the disk: archives are unpacked,
// files counted, the manifest kept and compared. One backup; it has no connection of its own.
import { join } from "node:path";
import type { Progress } from "../../core/member-status.ts";
import { UnderstudyError } from "../../core/errors.ts";
import {
  type BackupHandler,
  type BackupPosition,
  BackupStream,
  type BackupTablespace,
  type ServerFailure,
} from "./backup-stream.ts";
import { hasManifest } from "./command.ts";
import type { Crc32cEngine } from "./crc32c-engine.ts";
import { type SpaceNeed, requireSpace } from "./disk-space.ts";
import { verifyManifest } from "./manifest.ts";
import { ProgressMeter } from "./progress.ts";
import type { Reception } from "./receive.ts";
import { prepareTablespace, tablespacePlace } from "./tablespace-place.ts";
import { TarReader } from "./tar-reader.ts";
import { TreeWriter } from "./tree-writer.ts";

export interface BackupReceiverOptions {
  readonly major: number;
  readonly groupAccess: boolean;
  /** Its buffer is the one that bytes are fed from. */
  readonly checksums: Crc32cEngine;
  readonly stagingDir: string;
  readonly tablespaceRoot: string;
  readonly onProgress: (progress: Progress) => void;
  /** The reception that feeds; asked for once bytes have come. */
  readonly reception: () => Reception;
}

/** SQLSTATE of the server's own page checksums failing while it sends. */
const DATA_CORRUPTED = "XX001";

export class BackupReceiver implements BackupHandler {
  /** What each file system must hold, once the server has said it. */
  readonly needs: SpaceNeed[] = [];
  /** Directories outside of the staging directory that this backup fills. */
  readonly places: string[] = [];
  readonly writer: TreeWriter;
  readonly meter: ProgressMeter;
  readonly #options: BackupReceiverOptions;
  readonly #stream: BackupStream;
  /** What came before the places for it were ready: less than one read of the socket. */
  #deferred: (() => void)[] | null = null;
  #start: BackupPosition | null = null;
  #end: BackupPosition | null = null;
  #tar: TarReader | null = null;
  readonly #manifest: Uint8Array[] = [];

  constructor(options: BackupReceiverOptions) {
    this.#options = options;
    this.#stream = new BackupStream({ major: options.major, handler: this });
    this.meter = new ProgressMeter({ step: "cloning", report: options.onProgress });
    this.writer = new TreeWriter({
      groupAccess: options.groupAccess,
      checksums: hasManifest(options.major) ? options.checksums : null,
    });
    this.meter.enter("cloning", { nowMs: performance.now(), total: null });
  }

  /** The next bytes from the socket. */
  feed(chunk: Uint8Array): "more" | "pause" {
    this.#stream.feed(chunk);
    this.meter.update(this.writer.bytes, performance.now());
    return this.#deferred !== null ? "pause" : "more";
  }

  /**
   * After the last byte: compares with the manifest.
   * @throws UnderstudyError BACKUP_CORRUPT
   */
  async complete(): Promise<{ start: BackupPosition; end: BackupPosition; verified: boolean }> {
    await this.writer.close();
    const { start, end } = { start: this.#start, end: this.#end };
    if (start === null || end === null)
      throw new UnderstudyError("BACKUP_FAILED", "the base backup ended before it was complete");
    if (!hasManifest(this.#options.major)) return { start, end, verified: false };
    const manifest = Buffer.concat(this.#manifest);
    verifyManifest(manifest, this.writer.files);
    this.writer.addFile(join(this.#options.stagingDir, "backup_manifest"), manifest);
    await this.writer.close();
    return { start, end, verified: true };
  }

  start(position: BackupPosition): void {
    this.#start = position;
  }

  tablespaces(list: readonly BackupTablespace[]): void {
    this.#deferred = [];
    this.#prepare(list).catch((error: unknown) => this.#options.reception().fail(error));
  }

  async #prepare(list: readonly BackupTablespace[]): Promise<void> {
    const { stagingDir, tablespaceRoot } = this.#options;
    for (const tablespace of list) {
      const place = tablespacePlace(tablespaceRoot, tablespace);
      if (place !== null) {
        await prepareTablespace(place);
        this.places.push(place);
      }
      this.needs.push({ path: place ?? stagingDir, bytes: tablespace.bytes ?? 0 });
    }
    await requireSpace(this.needs);
    const total = this.needs.reduce((sum, { bytes }) => sum + bytes, 0);
    this.meter.enter("cloning", { nowMs: performance.now(), total });
    const deferred = this.#deferred ?? [];
    this.#deferred = null;
    for (const action of deferred) action();
    this.#options.reception().resume();
  }

  archiveBegin(tablespace: BackupTablespace): void {
    this.#whenPrepared(() => {
      const { stagingDir, tablespaceRoot } = this.#options;
      const place = tablespacePlace(tablespaceRoot, tablespace);
      const prefix = tablespace.oid === null ? "" : `pg_tblspc/${tablespace.oid}/`;
      const directory = place ?? join(stagingDir, prefix);
      this.writer.makeDirectory(directory);
      const linkTarget = (oid: number): string | undefined =>
        this.places.find((candidate) => candidate === join(tablespaceRoot, String(oid)));
      this.#tar = new TarReader({
        code: "BACKUP_CORRUPT",
        source:
          prefix === "" ? "the base backup" : `the base backup's tablespace ${tablespace.oid}`,
        handler: this.writer.unpack({ directory, prefix, linkTarget }),
      });
    });
  }

  archiveData(piece: Uint8Array): void {
    if (this.#deferred === null) this.#tar?.feed(piece);
    else {
      const kept = Buffer.from(piece);
      this.#deferred.push(() => this.#tar?.feed(kept));
    }
  }

  archiveEnd(): void {
    this.#whenPrepared(() => this.#tar?.finish());
  }

  manifestData(piece: Uint8Array): void {
    this.#manifest.push(Buffer.from(piece));
  }

  end(position: BackupPosition): void {
    this.#whenPrepared(() => {
      this.#end = position;
    });
  }

  ready(failure: ServerFailure | null): void {
    this.#whenPrepared(() => {
      if (failure === null) this.#options.reception().finish();
      else this.#options.reception().fail(serverError(failure));
    });
  }

  #whenPrepared(action: () => void): void {
    if (this.#deferred === null) action();
    else this.#deferred.push(action);
  }
}

function serverError(failure: ServerFailure): UnderstudyError {
  return new UnderstudyError(
    failure.code === DATA_CORRUPTED ? "BACKUP_CORRUPT" : "BACKUP_FAILED",
    `the primary ended the base backup: ${failure.message}`,
    { details: { code: failure.code } },
  );
}
