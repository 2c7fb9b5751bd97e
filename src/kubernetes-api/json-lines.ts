// Cuts a stream of bytes into the JSON documents that it carries, one a line, as watches and logs
// do. A chunk may end anywhere, within a character too.

const NEWLINE = 0x0a;
/** An object is 3 MB at most (etcd's limit is half of that). */
const DEFAULT_LIMIT_BYTES = 8 * 1024 * 1024;

export class JsonLines {
  readonly #limitBytes: number;
  #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(options: { limitBytes?: number } = {}) {
    this.#limitBytes = options.limitBytes ?? DEFAULT_LIMIT_BYTES;
  }

  /**
   * The documents that this chunk completes.
   * @throws SyntaxError for a line that is no JSON, RangeError for one that never ends.
   */
  push(chunk: Buffer): unknown[] {
    const documents: unknown[] = [];
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(NEWLINE, start);
      if (end === -1) break;
      const line = this.#take(chunk.subarray(start, end));
      start = end + 1;
      if (line.trim() !== "") documents.push(JSON.parse(line));
    }
    this.#keep(chunk.subarray(start));
    return documents;
  }

  #take(rest: Buffer): string {
    const line = Buffer.concat([...this.#chunks, rest]).toString("utf8");
    this.#chunks = [];
    this.#bytes = 0;
    return line;
  }

  #keep(rest: Buffer): void {
    if (rest.length === 0) return;
    this.#bytes += rest.length;
    if (this.#bytes > this.#limitBytes)
      throw new RangeError(`a line is longer than ${this.#limitBytes} bytes`);
    this.#chunks.push(rest);
  }
}
