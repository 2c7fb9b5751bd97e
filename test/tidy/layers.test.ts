import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { circlesIn } from "./circles.ts";
import { importsOf } from "./imports.ts";
import { LAYERS, layersTable, layerViolations } from "./layers.ts";
import { filesEndingIn, read, type SourceFile } from "./source-tree.ts";

const sources = filesEndingIn(".ts").filter(({ path }) => path.startsWith("src/"));

describe("the house", () => {
  test("every import in src is one that the table of layers allows", () => {
    assert.ok(sources.length > 20, "the sources are found");
    assert.deepEqual(
      sources.flatMap((file) => layerViolations(file)),
      [],
    );
  });

  test("no file imports itself by a detour", () => {
    assert.deepEqual(circlesIn(filesEndingIn(".ts")), []);
  });

  test("the command line is built without loading what a cluster is run with", () => {
    // main.ts loads the commands that are needed, and nothing is done before.
    const loaded = loadedWith("src/cli/main.ts", "src/cli/all-commands.ts");
    assert.ok(loaded.has("src/cli/commands/up.ts"), "the way is found");
    const parts = sources.filter(
      ({ path }) => loaded.has(path) && /^src\/(?:local|agent|postgres|store)\//.test(path),
    );
    // One that brings nothing with it is no weight.
    const heavy = parts.filter((file) => importsOf(file).some(({ typeOnly }) => !typeOnly));
    assert.deepEqual(
      heavy.map(({ path }) => path),
      [],
    );
  });

  test("docs/architecture.md prints the table as it is", () => {
    assert.ok(read("docs/architecture.md").includes(layersTable()), "run: npm run docs");
  });

  test("agent, router and kubernetes do not know each other, and nothing below cli knows cli", () => {
    const separate = new Set(["agent", "router", "kubernetes"]);
    for (const [name, { imports }] of Object.entries(LAYERS)) {
      if (name !== "cli") assert.ok(!imports.includes("cli"), name);
      if (separate.has(name))
        assert.deepEqual(
          imports.filter((other) => separate.has(other)),
          [],
          name,
        );
    }
    assert.deepEqual(LAYERS["core"]?.imports, []);
  });
});

/** Every file that is loaded before anything is done. */
function loadedWith(...first: readonly string[]): Set<string> {
  const byPath = new Map(sources.map((file) => [file.path, file]));
  const loaded = new Set(first);
  for (const path of loaded) {
    const file = byPath.get(path);
    for (const { kind, target, typeOnly, isLater } of file === undefined ? [] : importsOf(file))
      if (kind === "file" && !typeOnly && !isLater) loaded.add(target);
  }
  return loaded;
}

function violations(path: string, text: string): string[] {
  return layerViolations({ path, text });
}

function coreFile(name: string, text: string): SourceFile {
  return { path: `src/core/${name}.ts`, text };
}

describe("the rules bite", () => {
  test("on an arrow against the direction", () => {
    const text = 'import { a } from "../agent/agent.ts";\n';
    assert.deepEqual(violations("src/core/x.ts", text), [
      "src/core/x.ts: core may not import agent (../agent/agent.ts)",
    ]);
  });

  test("on an import that spans lines, one of types, one that runs later and one that passes on", () => {
    for (const text of [
      'import {\n  a,\n  b,\n} from "../local/up.ts";',
      'import type { A } from "../local/up.ts";',
      'const up = await import("../local/up.ts");',
      'export { up } from "../local/up.ts";',
    ])
      assert.equal(violations("src/agent/x.ts", text).length, 1, text);
  });

  test("on a package that the folder may not use, and on a test's package outside of tests", () => {
    assert.equal(violations("src/store/x.ts", 'import pg from "pg";').length, 1);
    assert.equal(violations("src/store/x.ts", 'import fc from "fast-check";').length, 1);
    assert.equal(violations("src/store/x.test.ts", 'import fc from "fast-check";').length, 0);
    assert.equal(violations("src/agent/x.ts", 'import { Client } from "pg";').length, 0);
  });

  test("on a Node module in core, but not in a test of core", () => {
    assert.equal(violations("src/core/x.ts", 'import { join } from "node:path";').length, 1);
    assert.equal(violations("src/core/x.test.ts", 'import { test } from "node:test";').length, 0);
  });

  test("on a folder that the table does not have, and on what is outside of src", () => {
    assert.equal(violations("src/extra/x.ts", "").length, 1);
    assert.equal(violations("src/cli/x.ts", 'import { a } from "../../test/a.ts";').length, 1);
    assert.equal(violations("src/cli/x.test.ts", 'import { a } from "../../test/a.ts";').length, 0);
  });

  test("not on what is only said in a comment", () => {
    assert.deepEqual(importsOf({ path: "src/core/x.ts", text: '// import a from "pg";\n' }), []);
  });

  test("on circles of two and of three, but not on one of types", () => {
    const a = coreFile("a", 'import { b } from "./b.ts";');
    const b = coreFile("b", 'import { c } from "./c.ts";');
    assert.deepEqual(circlesIn([a, b, coreFile("c", 'import type { A } from "./a.ts";')]), []);
    assert.deepEqual(circlesIn([a, b, coreFile("c", 'import { a } from "./a.ts";')]), [
      ["src/core/a.ts", "src/core/b.ts", "src/core/c.ts", "src/core/a.ts"],
    ]);
    assert.equal(circlesIn([a, coreFile("b", 'import { a } from "./a.ts";')]).length, 1);
  });
});
