import assert from "node:assert/strict";
import { test } from "node:test";
import { wrapComments } from "./wrap-comments.ts";

const long = Array.from({ length: 30 }, (_, index) => `word${index}`).join(" ");
const longest = (text: string) => Math.max(...text.split("\n").map((line) => line.length));
const wordsOf = (text: string) => text.replaceAll(/[/*\s]+/g, " ").trim();

test("a long comment is broken at 100 columns, with its words and its indentation", () => {
  for (const text of [
    `// ${long}`,
    `  // ${long}\n  // and more`,
    `  /** ${long} */`,
    `/**\n * ${long}\n */`,
  ]) {
    const after = wrapComments(text);
    assert.ok(longest(after) <= 100, after);
    assert.equal(wordsOf(after), wordsOf(text));
    assert.equal(wrapComments(after), after);
  }
});

test("a paragraph flows on, but not into a tag, an item, an empty line or the end of the block", () => {
  for (const next of ["@throws UnderstudyError", "- an item", "1. an item", ""]) {
    const text = `/**\n * ${long}\n * ${next}\n */`.replace(/ +$/gm, "");
    assert.ok(wrapComments(text).endsWith(`\n * ${next}`.trimEnd() + "\n */"), next);
  }
  const [, second = ""] = wrapComments(`// ${long} end\n// next`).split("\n");
  assert.ok(wrapComments(`// ${long}\n// next`).endsWith("next"));
  assert.ok(second.startsWith("// word"));
});

test("a heading's line is cut short", () => {
  assert.equal(wrapComments(`  // Part ${"-".repeat(120)}`).length, 100);
});

test("code, strings and comments that fit stay as they are", () => {
  const text = `const a = "${long} // ${long}";\n// short\n// lines\nconst b = ${long.replaceAll(" ", " + ")};\n`;
  assert.equal(wrapComments(text), text);
});
