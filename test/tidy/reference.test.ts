import assert from "node:assert/strict";
import { matchesGlob } from "node:path";
import { test } from "node:test";
import { generatedFiles } from "../../docs/generate.ts";
import { ERRORS, EXIT_STATUSES } from "../../src/core/errors.ts";
import { filesEndingIn, read } from "./source-tree.ts";

test("the reference agrees with the code", () => {
  for (const [path, text] of Object.entries(generatedFiles()))
    assert.equal(read(path), text, `${path} is old; run: npm run docs`);
});

test("every error has an exit status that is explained, and one that says failure", () => {
  for (const [code, { exit }] of Object.entries(ERRORS)) {
    assert.ok(Object.hasOwn(EXIT_STATUSES, exit), code);
    assert.notEqual(exit, 0, code);
  }
});

test("every error code is used by the code", () => {
  const sources = filesEndingIn(".ts").filter(
    ({ path }) =>
      path.startsWith("src/") && path !== "src/core/errors.ts" && !path.endsWith(".test.ts"),
  );
  const text = sources.map((file) => file.text).join("\n");
  assert.deepEqual(
    Object.keys(ERRORS).filter((code) => code !== "INTERNAL" && !text.includes(`"${code}"`)),
    [],
  );
});

test("each lesson has its answer, in order, and what an answer names is there", () => {
  const text = read("docs/lessons.md");
  const numbers = [...text.matchAll(/^\| (\d+) \|/gm)].map(([, number]) => Number(number));
  assert.deepEqual(
    numbers,
    numbers.map((_, at) => at + 1),
  );
  const newest = Math.max(
    ...filesEndingIn(".ts").flatMap((file) =>
      [...file.text.matchAll(/\(lessons? (\d+)/g)].map(([, number]) => Number(number)),
    ),
  );
  assert.ok(numbers.length >= newest, `lesson ${newest} is named in the code`);
  const paths = filesEndingIn(".ts").map(({ path }) => path);
  const missing = [...text.matchAll(/`((?:src|test)\/[^`]+)`/g)]
    .map(([, named = ""]) => named)
    .filter((named) => !paths.some((path) => matchesGlob(path, named)));
  assert.deepEqual(missing, []);
});

test("links between the documents lead somewhere", () => {
  const documents = filesEndingIn(".md");
  const broken = documents.flatMap(({ path, text }) =>
    [...text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)]
      .map(([, target = ""]) => new URL(target, `file:///${path}`).pathname.slice(1))
      .filter((target) => filesEndingIn(target).every((file) => file.path !== target))
      .map((target) => `${path} -> ${target}`),
  );
  assert.deepEqual(broken, []);
});
