// What is appended to a log file from now on, line by line, over renaming, truncation and
// replacement.
import { open, stat, type FileHandle } from "node:fs/promises";

const CHUNK_BYTES = 64 * 1024;

export class LogTail implements AsyncDisposable {
  readonly #path: string;
  #file: FileHandle | null = null;
  #inode = 0n;
  #offset = 0;
  /** The beginning of a line whose end is not written yet. */
  #rest: Buffer<ArrayBufferLike> = Buffer.alloc(0);

  constructor(path: string) {
    this.#path = path;
  }

  /** What is in the file now was told by whoever was there before. */
  async passOver(): Promise<void> {
    await this.#open();
    if (this.#file !== null) this.#offset = (await this.#file.stat()).size;
  }

  /**
   * @returns whole lines, at most 64 KB of them; none when there is nothing new. @throws whatever
   * reading may throw.
   */
  async read(): Promise<string[]> {
    const lines = await this.#readOpen();
    if (lines.length > 0 || !(await this.#wasReplaced())) return lines;
    await this.#close();
    await this.#open();
    return this.#readOpen();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }

  async #readOpen(): Promise<string[]> {
    if (this.#file === null) return [];
    if ((await this.#file.stat()).size < this.#offset) this.#begin();
    const chunk = Buffer.alloc(CHUNK_BYTES);
    const { bytesRead } = await this.#file.read(chunk, 0, CHUNK_BYTES, this.#offset);
    this.#offset += bytesRead;
    const text = Buffer.concat([this.#rest, chunk.subarray(0, bytesRead)]);
    // A line that is longer than a chunk is told in pieces, rather than kept.
    const whole = text.lastIndexOf(10) + 1;
    const end = whole === 0 && text.length > CHUNK_BYTES ? text.length : whole;
    this.#rest = text.subarray(end);
    return text.subarray(0, end).toString("utf8").split("\n").filter(Boolean);
  }

  /** Or is there for the first time, or gone. */
  async #wasReplaced(): Promise<boolean> {
    const now = await stat(this.#path, { bigint: true }).catch(() => null);
    return now !== null && (this.#file === null || now.ino !== this.#inode);
  }

  async #open(): Promise<void> {
    this.#file = await open(this.#path).catch(() => null);
    this.#inode = this.#file === null ? 0n : (await this.#file.stat({ bigint: true })).ino;
    this.#begin();
  }

  #begin(): void {
    this.#offset = 0;
    this.#rest = Buffer.alloc(0);
  }

  async #close(): Promise<void> {
    await this.#file?.close();
    this.#file = null;
  }
}
