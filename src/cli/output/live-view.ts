// Progress on stderr. On a terminal a block of lines is painted over in place; anywhere else each
// fact is one appended line, once, so that a log stays readable.
import { cutTo } from "./text.ts";

export interface TextSink {
  write(text: string): unknown;
  readonly columns?: number | undefined;
}

const CLEAR_TO_END_OF_LINE = "\x1b[K";
const CLEAR_BELOW = "\x1b[J";
const HIDE_CURSOR = "\x1b[?25l";
const SHOW_CURSOR = "\x1b[?25h";

/**
 * A block of lines at the bottom of the terminal. Painted in one write from its own top, so that it
 * does not
 * flicker; lines are cut to the width, because a wrapped line would take two rows and spoil the
 * count.
 */
export class LiveBlock {
  readonly #sink: TextSink;
  #rows = 0;
  #last = "";

  constructor(sink: TextSink) {
    this.#sink = sink;
  }

  paint(text: string): void {
    if (text === this.#last) return;
    const width = this.#sink.columns ?? 80;
    const lines = text.split("\n").map((line) => cutTo(line, width) + CLEAR_TO_END_OF_LINE);
    const up = this.#rows === 0 ? HIDE_CURSOR : `\x1b[${this.#rows}A\r`;
    this.#sink.write(`${up}${lines.join("\n")}\n${CLEAR_BELOW}`);
    this.#rows = lines.length;
    this.#last = text;
  }

  /** Leaves the last picture, uncut, and gives the cursor back. */
  end(text: string): void {
    const up = this.#rows === 0 ? "" : `\x1b[${this.#rows}A\r`;
    this.#sink.write(`${up}${CLEAR_BELOW}${text === "" ? "" : `${text}\n`}${SHOW_CURSOR}`);
    this.#rows = 0;
    this.#last = "";
  }
}

const ENTER_SCREEN = "\x1b[?1049h";
const LEAVE_SCREEN = "\x1b[?1049l";
const TOP_LEFT = "\x1b[H";

/**
 * A page of its own, as `top` has it: each picture begins at the top left, so that a terminal that
 * changes its size in between leaves no pieces. What was there before comes back at the end.
 */
export class FullScreen {
  readonly #sink: TextSink;
  #isOpen = false;

  constructor(sink: TextSink) {
    this.#sink = sink;
  }

  paint(text: string): void {
    const width = this.#sink.columns ?? 80;
    const lines = text.split("\n").map((line) => cutTo(line, width) + CLEAR_TO_END_OF_LINE);
    const open = this.#isOpen ? "" : `${ENTER_SCREEN}${HIDE_CURSOR}`;
    this.#isOpen = true;
    this.#sink.write(`${open}${TOP_LEFT}${lines.join("\n")}${CLEAR_BELOW}`);
  }

  /** Leaves the last picture, uncut, below what was there before. */
  end(text: string): void {
    const close = this.#isOpen ? `${SHOW_CURSOR}${LEAVE_SCREEN}` : "";
    this.#sink.write(`${close}${text === "" ? "" : `${text}\n`}`);
    this.#isOpen = false;
  }
}

/** Appends only the lines that were not there before. */
export class LineLog {
  readonly #sink: TextSink;
  readonly #printed = new Set<string>();

  constructor(sink: TextSink) {
    this.#sink = sink;
  }

  paint(text: string): void {
    for (const line of text.split("\n")) {
      // A later, longer name may have widened a column: that is the same fact.
      const fact = line.replaceAll(/ +/g, " ");
      if (fact === "" || this.#printed.has(fact)) continue;
      this.#printed.add(fact);
      this.#sink.write(`${line}\n`);
    }
  }

  end(text: string): void {
    this.paint(text);
  }
}
