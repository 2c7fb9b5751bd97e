import assert from "node:assert/strict";
import { test } from "node:test";
import { installScripts, unexplained, unpinned, type Manifest } from "./dependency-rules.ts";
import { filesEndingIn, read } from "./source-tree.ts";

const manifest = JSON.parse(read("package.json")) as Manifest;
const decisions = filesEndingIn(".md")
  .filter(({ path }) => path.startsWith("docs/decisions/"))
  .map(({ text }) => text)
  .join("\n");

test("every dependency is pinned to one version", () => {
  assert.deepEqual(unpinned(manifest), []);
  assert.deepEqual(unpinned({ dependencies: { a: "^1.0.0", b: "1.0.0", c: "latest" } }), [
    'a: "^1.0.0" is not one exact version',
    'c: "latest" is not one exact version',
  ]);
});

test("every dependency has its reason in docs/decisions", () => {
  assert.deepEqual(unexplained(manifest, decisions), []);
  assert.equal(unexplained({ devDependencies: { a: "1.0.0" } }, "about `b`").length, 1);
});

test("the package has no install scripts of its own", () => {
  assert.deepEqual(installScripts(manifest), []);
  assert.deepEqual(installScripts({ scripts: { postinstall: "x" } }), ["postinstall"]);
});

test("the lock file has a checksum for every package, so that npm ci takes exactly these", () => {
  const lock = JSON.parse(read("package-lock.json")) as {
    packages: Record<string, { integrity?: string }>;
  };
  const without = Object.entries(lock.packages).filter(
    ([path, { integrity }]) => path !== "" && !integrity,
  );
  assert.deepEqual(
    without.map(([path]) => path),
    [],
  );
});

test("decisions are numbered one by one and begin with their title", () => {
  const paths = filesEndingIn(".md").filter(({ path }) => path.startsWith("docs/decisions/"));
  assert.ok(paths.length > 0);
  for (const [index, { path, text }] of paths.entries()) {
    const number = String(index + 1).padStart(4, "0");
    assert.match(path, new RegExp(`/${number}-[a-z0-9-]+\\.md$`));
    assert.match(text, new RegExp(`^# ${number} `));
  }
});
