// Text on a terminal: how many columns it takes, padding, cutting, and making foreign text
// harmless.
import { stripVTControlCharacters } from "../node-text.ts";

const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u;
// Zero width joiners and the like inside of a grapheme take no room of their own.
const ONLY_MARKS = /^[\p{M}\p{Cf}]+$/u;

/** Columns that the text takes on a terminal; its colours take none. */
export function displayWidth(text: string): number {
  const bare = stripVTControlCharacters(text);
  if (/^[\x20-\x7e]*$/.test(bare)) return bare.length;
  let width = 0;
  for (const { segment } of graphemes(bare))
    if (WIDE.test(segment)) width += 2;
    else if (!ONLY_MARKS.test(segment)) width += 1;
  return width;
}

/** Made where it is needed: the first one costs 8 ms, and most text is ASCII. */
function graphemes(text: string): Intl.Segments {
  return new Intl.Segmenter("en", { granularity: "grapheme" }).segment(text);
}

export function padTo(text: string, to: { width: number; align: "left" | "right" }): string {
  const gap = " ".repeat(Math.max(0, to.width - displayWidth(text)));
  return to.align === "right" ? gap + text : text + gap;
}

/** Cuts a line to so many columns. Colours before the cut stay, those after it are closed. */
export function cutTo(line: string, width: number): string {
  if (displayWidth(line) <= width) return line;
  let kept = "";
  let used = 0;
  for (const part of line.split(/(\p{Cc}\[[\d;]*m)/u)) {
    if (part.startsWith("\x1b[")) {
      kept += part;
      continue;
    }
    for (const { segment } of graphemes(part)) {
      const next = used + displayWidth(segment);
      if (next > width) used = width;
      if (used >= width) break;
      kept += segment;
      used = next;
    }
  }
  return kept;
}

/**
 * Text that came from elsewhere (data, logs, a server's message) with its control characters made
 * visible, so
 * that it can neither break a table nor command the terminal.
 */
export function harmless(text: string): string {
  return text.replaceAll(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, (character) => {
    if (character === "\n") return String.raw`\n`;
    if (character === "\r") return String.raw`\r`;
    if (character === "\t") return String.raw`\t`;
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

/** Breaks a sentence at spaces; every line but the first begins with the indent. */
export function wrap(text: string, to: { width: number | null; indent: string }): string {
  if (to.width === null) return text;
  const lines: string[] = [];
  // A line that is indented already keeps that.
  let line = /^ */.exec(text)?.[0] ?? "";
  for (const word of text.trimStart().split(" ")) {
    const longer = line.trim() === "" ? line + word : `${line} ${word}`;
    const room = to.width - (lines.length === 0 ? 0 : displayWidth(to.indent));
    if (line.trim() !== "" && displayWidth(longer) > room) {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  lines.push(line);
  return lines.join(`\n${to.indent}`);
}
