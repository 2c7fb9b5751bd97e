// Waits for something to happen to one file. The system tells; a slow look bounds how late it is
// seen where the system has no such events (a network file system, an exhausted inotify).
import { watch, type FSWatcher } from "node:fs";
import { basename, dirname } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

export class FileWatch implements Disposable {
  readonly #pollMs: number;
  readonly #watcher: FSWatcher | null;
  #hasChanged = false;
  #wake: () => void = () => {};

  /** The file need not be there, its directory must. Events count from now on. */
  constructor(path: string, options: { pollMs: number }) {
    this.#pollMs = options.pollMs;
    this.#watcher = watchName(path, () => {
      this.#hasChanged = true;
      this.#wake();
    });
  }

  /** Until something has happened since the last call, or the time for a look has come. */
  async changed(): Promise<null> {
    if (!this.#hasChanged) {
      const woken = new AbortController();
      this.#wake = () => woken.abort();
      await delay(this.#pollMs, undefined, { signal: woken.signal }).catch(() => {});
    }
    this.#hasChanged = false;
    return null;
  }

  [Symbol.dispose](): void {
    this.#watcher?.close();
    this.#wake();
  }
}

function watchName(path: string, onChange: () => void): FSWatcher | null {
  try {
    const watcher = watch(dirname(path), (_event, name) => {
      if (name === basename(path)) onChange();
    });
    watcher.on("error", () => watcher.close());
    return watcher;
  } catch {
    return null;
  }
}
