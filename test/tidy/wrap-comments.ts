// `npm run format` after oxfmt, which leaves comments as they are: breaks comment lines that are
// longer than 100 columns. `--check` only says which files would change.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { filesEndingIn, ROOT } from "./source-tree.ts";

const COLUMNS = 100;
/** A comment line's indentation with its mark, and its text. */
const COMMENT_LINE = /^(\s*(?:\/\/|\*)) (\S.*)$/;
/** Begins something of its own, which does not flow into the line before it. */
const OWN_LINE = /^([-@*]|\d+[.)]|\|)/;

/** The text with its overlong comment lines broken; what follows in the same paragraph flows on. */
export function wrapComments(text: string): string {
  const lines = text.split("\n").map(shortenedRule).flatMap(splitSingleLineBlock);
  const result: string[] = [];
  for (let index = 0; index < lines.length; index += 1) {
    const line = lines[index] ?? "";
    const [, mark = "", words = ""] = COMMENT_LINE.exec(line) ?? [];
    if (line.length <= COLUMNS || mark === "") {
      result.push(line);
      continue;
    }
    let paragraph = words;
    for (let next = textOf(lines[index + 1], mark); next !== undefined;) {
      paragraph += ` ${next}`;
      index += 1;
      next = textOf(lines[index + 1], mark);
    }
    result.push(...wrapped(paragraph, mark));
  }
  return result.join("\n");
}

/** A heading's line of hyphens ends where the text ends. */
function shortenedRule(line: string): string {
  return /^\s*\/\/.*-{8,}$/.test(line) ? line.slice(0, COLUMNS) : line;
}

/** "/** One sentence. *\/" as three lines, when it is too long for one. */
function splitSingleLineBlock(line: string): string[] {
  const match = /^(\s*)\/\*\* (.*) \*\/$/.exec(line);
  if (line.length <= COLUMNS || match === null) return [line];
  const [, indent = "", words = ""] = match;
  return [`${indent}/**`, `${indent} * ${words}`, `${indent} */`];
}

/** The text of a line that goes on the paragraph under the same mark. */
function textOf(line: string | undefined, mark: string): string | undefined {
  const match = COMMENT_LINE.exec(line ?? "");
  return match?.[1] === mark && !OWN_LINE.test(match[2] ?? "") && match[2] !== "/"
    ? match[2]
    : undefined;
}

function wrapped(paragraph: string, mark: string): string[] {
  const lines: string[] = [];
  let line = mark;
  for (const word of paragraph.split(" ")) {
    if (line !== mark && line.length + 1 + word.length > COLUMNS) {
      lines.push(line);
      line = mark;
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}

if (import.meta.main) {
  const check = process.argv.includes("--check");
  for (const { path } of filesEndingIn(".ts", ".js")) {
    const before = readFileSync(join(ROOT, path), "utf8");
    const after = wrapComments(before);
    if (after === before) continue;
    process.stdout.write(`${path}\n`);
    if (check) process.exitCode = 1;
    else writeFileSync(join(ROOT, path), after);
  }
}
