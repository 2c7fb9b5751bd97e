import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { buildProgram } from "../../build/program.js";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

describe("which of the two is started, the sources or what was built of them", () => {
  let root: string;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), "understudy-built-"));
  });
  after(() => rm(root, { recursive: true, force: true }));
  beforeEach(() => {
    rmSync(root, { recursive: true, force: true });
    put("package.json", `{"type": "module", "version": "1.2.3"}`);
    put("bin/understudy.js");
    copyFileSync(join(ROOT, "bin/understudy.js"), join(root, "bin/understudy.js"));
    for (const name of ["main", "agent-main"]) {
      put(`src/cli/${name}.ts`, program(`${name} from its source`));
      put(`dist/cli/${name}.js`, program(`${name} as it was built`));
      state(name, [`src/cli/${name}.ts`, "package.json"]);
    }
  });

  test("what was built, as long as it is made of what is there", () => {
    assert.equal(started("status"), "main as it was built");
    assert.equal(started("agent"), "agent-main as it was built");
  });

  test("the sources, when one of them is another size", () => {
    put("src/cli/main.ts", `${program("main from its source")}\n`);
    assert.equal(started("status"), "main from its source");
    assert.equal(started("agent"), "agent-main as it was built");
  });

  test("the sources, when one of them has changed and kept its size", () => {
    utimesSync(join(root, "package.json"), new Date(), new Date(Date.now() - 5_000));
    assert.equal(started("status"), "main from its source");
  });

  test("the sources, when something that it was made of is gone", () => {
    put("src/cli/other.ts");
    state("main", ["src/cli/main.ts", "src/cli/other.ts"]);
    assert.equal(started("status"), "main as it was built");
    rmSync(join(root, "src/cli/other.ts"));
    assert.equal(started("status"), "main from its source");
  });

  test("the sources, when it was not built to the end, or nothing was built", () => {
    writeFileSync(join(root, "dist/cli/main.inputs.json"), "[[");
    assert.equal(started("status"), "main from its source");
    rmSync(join(root, "dist"), { recursive: true });
    assert.equal(started("status"), "main from its source");
  });

  test("what was built, where there are no sources, as in a published package", () => {
    rmSync(join(root, "src"), { recursive: true });
    assert.equal(started("status"), "main as it was built");
  });

  test("the real one says the same as its sources, and brings the terms of its packages", async () => {
    for (const each of ["src", "dist"]) rmSync(join(root, each), { recursive: true });
    await buildProgram(join(root, "dist"));
    const [real, own] = [ROOT, root].map((from) => (...args: string[]) => {
      const { stdout, stderr } = ran([join(from, "bin/understudy.js"), ...args]);
      return `${stdout}${stderr}`;
    });
    const rule = own?.("explain", "promote-under-lease");
    assert.match(rule ?? "", /promote-under-lease/);
    assert.equal(rule, real?.("explain", "promote-under-lease"));
    for (const name of ["agent", "deadman"]) assert.equal(own?.(name), real?.(name));
    for (const name of ["pg", "pg-types", "valibot", "yaml", "commander"])
      assert.ok(statSync(join(root, "dist/licenses", name)).size > 20, name);
  });

  function put(path: string, text = ""): void {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }

  function state(name: string, inputs: readonly string[]): void {
    const stated = inputs.map((path) => {
      const { size, mtimeMs } = statSync(join(root, path));
      return [path, size, mtimeMs];
    });
    put(`dist/cli/${name}.inputs.json`, JSON.stringify(stated));
  }

  function started(command: string): string {
    const { stdout, stderr } = ran([join(root, "bin/understudy.js"), command]);
    assert.equal(stderr, "");
    return stdout.trim();
  }

  function ran(args: readonly string[]): { stdout: string; stderr: string } {
    const env = { ...process.env, XDG_CACHE_HOME: join(root, "cache") };
    return spawnSync(process.execPath, [...args], { env, encoding: "utf8", timeout: 60_000 });
  }
});

function program(says: string): string {
  return `export const main = () => void console.log(${JSON.stringify(says)});`;
}
