// The pages of a data directory's pg_wal, along its timelines: one file open, one chunk in memory.
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { UnderstudyError, codeOf, messageOf } from "../core/errors.ts";
import type { ControlData } from "./control-data.ts";
import { segmentFileName } from "./wal-page.ts";

/** Where a timeline left its parent. */
export interface Fork {
  readonly from: number;
  readonly at: number;
  readonly to: number;
}

const CHUNK_BYTES = 1024 * 1024;

export class WalFiles {
  readonly #dir: string;
  readonly #segmentBytes: number;
  readonly #pageBytes: number;
  readonly #forks: readonly Fork[];
  readonly #buffer = Buffer.alloc(CHUNK_BYTES);
  #file: { readonly key: string; readonly handle: FileHandle | null } | null = null;
  #chunk: { readonly key: string; readonly bytes: Uint8Array } | null = null;

  constructor(dataDir: string, control: ControlData, forks: readonly Fork[]) {
    this.#dir = join(dataDir, "pg_wal");
    this.#segmentBytes = control.walSegmentBytes;
    this.#pageBytes = control.walBlockBytes;
    this.#forks = forks;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file?.handle?.close();
    this.#file = null;
  }

  /** Null where there is no file, or it is too short. Valid until the next call. */
  async page(position: number, timeline: number): Promise<Uint8Array | null> {
    const inSegment = position % this.#segmentBytes;
    const chunkStart = inSegment - (inSegment % CHUNK_BYTES);
    const bytes = await this.#read({ position, timeline, chunkStart });
    const offset = inSegment - chunkStart;
    const page = bytes?.subarray(offset, offset + this.#pageBytes);
    return page?.length === this.#pageBytes ? page : null;
  }

  /** As page, without reading what is around it. */
  async lonePage(position: number, timeline: number): Promise<Uint8Array | null> {
    const key = `${timeline} ${Math.floor(position / this.#segmentBytes)}`;
    const handle = await this.#open({ position, timeline, key });
    if (handle === null) return null;
    const page = Buffer.alloc(this.#pageBytes);
    const { bytesRead } = await handle.read(page, 0, page.length, position % this.#segmentBytes);
    return bytesRead === page.length ? page : null;
  }

  async #read(at: {
    position: number;
    timeline: number;
    chunkStart: number;
  }): Promise<Uint8Array | null> {
    const segment = Math.floor(at.position / this.#segmentBytes);
    const fileKey = `${at.timeline} ${segment}`;
    const key = `${fileKey} ${at.chunkStart}`;
    if (this.#chunk?.key === key) return this.#chunk.bytes;
    const handle = await this.#open({ ...at, key: fileKey });
    if (handle === null) return null;
    const length = Math.min(CHUNK_BYTES, this.#segmentBytes - at.chunkStart);
    const { bytesRead } = await handle.read(this.#buffer, 0, length, at.chunkStart);
    this.#chunk = { key, bytes: this.#buffer.subarray(0, bytesRead) };
    return this.#chunk.bytes;
  }

  async #open(at: { position: number; timeline: number; key: string }): Promise<FileHandle | null> {
    if (this.#file?.key === at.key) return this.#file.handle;
    await this.#file?.handle?.close();
    this.#file = null;
    for (const timeline of this.#holdersOf(at)) {
      const handle = await openIfThere(
        join(this.#dir, segmentFileName({ ...at, timeline, segmentBytes: this.#segmentBytes })),
      );
      this.#file = { key: at.key, handle };
      if (handle !== null) return handle;
    }
    return null;
  }

  /**
   * The timeline's own file, else that of a timeline which left it in this very segment: a
   * promotion copies what was there so far, and renames the original to ".partial" where WAL is
   * archived.
   */
  #holdersOf(at: { position: number; timeline: number }): number[] {
    const segmentOf = (position: number) => Math.floor(position / this.#segmentBytes);
    const children = this.#forks.filter(
      (fork) =>
        fork.from === at.timeline &&
        fork.at > at.position &&
        segmentOf(fork.at) === segmentOf(at.position),
    );
    return [
      at.timeline,
      ...children.flatMap((fork) => this.#holdersOf({ position: at.position, timeline: fork.to })),
    ];
  }
}

async function openIfThere(path: string): Promise<FileHandle | null> {
  try {
    return await open(path, "r");
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return null;
    throw unreadable(path, cause);
  }
}

/** @returns the error DATA_UNREADABLE of a file. */
export function unreadable(path: string, cause: unknown): UnderstudyError {
  return new UnderstudyError("DATA_UNREADABLE", `cannot read ${path}: ${messageOf(cause)}`, {
    cause,
    details: { path, code: codeOf(cause) ?? null },
  });
}
