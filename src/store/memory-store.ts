// A store in this process's memory: a full small implementation for tests and the simulator.
import { formatRecord, parseRecord } from "../core/record.ts";
import type { Store, Versioned, WriteRequest } from "./store.ts";

export class MemoryStore implements Store {
  #text: string | null = null;
  #revision = 0;
  readonly #watchers = new Set<() => void>();

  async read(): Promise<Versioned | null> {
    if (this.#text === null) return null;
    return { record: parseRecord(this.#text), revision: String(this.#revision) };
  }

  async write(request: WriteRequest): Promise<Versioned | null> {
    const present = this.#text === null ? null : String(this.#revision);
    if (request.expected !== present) return null;
    this.#text = formatRecord(request.record);
    this.#revision += 1;
    for (const notify of this.#watchers) queueMicrotask(notify);
    return this.read();
  }

  watch(onChange: () => void): Disposable {
    this.#watchers.add(onChange);
    return { [Symbol.dispose]: () => void this.#watchers.delete(onChange) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#watchers.clear();
  }
}
