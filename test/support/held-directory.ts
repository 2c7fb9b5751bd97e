// Which directory it is that stands at a path: the number of an inode is given to another as soon
// as its directory is removed, but not while somebody holds that open.
import { open, stat, type FileHandle } from "node:fs/promises";

export class HeldDirectory implements AsyncDisposable {
  readonly #handle: FileHandle;

  private constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  static async at(path: string): Promise<HeldDirectory> {
    return new HeldDirectory(await open(path));
  }

  /** Whether it is still the one that stands there, and not another that has replaced it. */
  async isAt(path: string): Promise<boolean> {
    const [own, there] = await Promise.all([this.#handle.stat(), stat(path)]);
    return own.dev === there.dev && own.ino === there.ino;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#handle.close();
  }
}
