// What happened in a run: every line goes into one hash, by which two runs are compared, and is
// kept only when somebody wants to read it.

export class Trace {
  readonly lines: string[] | null;
  #hash = 0x811c9dc5;
  #second = 0x1b873593;

  constructor(options: { keep: boolean }) {
    this.lines = options.keep ? [] : null;
  }

  get hash(): string {
    return [this.#hash, this.#second]
      .map((half) => (half >>> 0).toString(16).padStart(8, "0"))
      .join("");
  }

  add(line: { atMs: number; who: string; text: string }): void {
    const { atMs, who, text } = line;
    this.#mix(`${atMs} ${who} ${text}`);
    this.lines?.push(`${(atMs / 1_000).toFixed(3).padStart(8)}  ${who.padEnd(8)} ${text}`);
  }

  #mix(text: string): void {
    for (let place = 0; place < text.length; place += 1) {
      this.#hash = Math.imul(this.#hash ^ text.charCodeAt(place), 0x01000193);
      this.#second = Math.imul(this.#second ^ this.#hash, 0x85ebca6b) ^ (this.#second >>> 13);
    }
  }
}
