import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

const repository = fileURLToPath(new URL("../..", import.meta.url));
let root: string;

/** A package with our launcher and a small program. `dist` is what a published package brings. */
before(() => {
  root = mkdtempSync(join(tmpdir(), "launcher-"));
  cpSync(join(repository, "bin"), join(root, "bin"), { recursive: true });
  mkdirSync(join(root, "src", "cli"), { recursive: true });
  mkdirSync(join(root, "dist", "cli"), { recursive: true });
  writeFileSync(join(root, "package.json"), '{ "type": "module" }');
  cpSync(join(repository, "src", "cli", "entry.ts"), join(root, "src", "cli", "entry.ts"));
  writeFileSync(
    join(root, "src", "cli", "main.ts"),
    `import { startAgainFromWarmCache } from "./entry.ts";
    export async function main(args: string[]): Promise<number> {
      if (args[0] === "serve") {
        const again = process.env.UNDERSTUDY_STARTED_AGAIN ?? "first";
        startAgainFromWarmCache();
        console.log(process.pid, again, process.env.UNDERSTUDY_STARTED_AGAIN ?? "nobody after it");
        return 0;
      }
      console.log("source", ...args);
      return Number(args.at(-1));
    }`,
  );
  writeFileSync(
    join(root, "dist", "cli", "main.js"),
    `export async function main() { console.log("dist"); return 0; }`,
  );
});

after(() => rmSync(root, { recursive: true }));

function launch(args: readonly string[], more: { script?: string; cache?: string } = {}) {
  return spawnSync(process.execPath, [more.script ?? join(root, "bin", "understudy.js"), ...args], {
    encoding: "utf8",
    env: { ...process.env, XDG_CACHE_HOME: more.cache ?? join(root, "cache") },
  });
}

test("runs the source of a checkout, with its arguments and its exit status, and prints no warning", () => {
  const result = launch(["status", "-o", "json", "7"]);
  assert.equal(result.stdout, "source status -o json 7\n");
  assert.equal(result.stderr, "");
  assert.equal(result.status, 7);
});

test("runs dist inside of node_modules, where Node strips no types", () => {
  const installed = join(root, "consumer", "node_modules", "pg-understudy");
  for (const part of ["bin", "src", "dist", "package.json"])
    cpSync(join(root, part), join(installed, part), { recursive: true });
  const result = launch([], { script: join(installed, "bin", "understudy.js") });
  assert.equal(result.stdout, "dist\n", result.stderr);
});

test("a cache that cannot be written is no failure", () => {
  writeFileSync(join(root, "no-directory"), "");
  const result = launch(["up", "0"], { cache: join(root, "no-directory") });
  assert.deepEqual([result.stdout, result.stderr, result.status], ["source up 0\n", "", 0]);
});

async function serve(): Promise<{ pid: number | undefined; output: string }> {
  const child = spawn(process.execPath, [join(root, "bin", "understudy.js"), "serve"], {
    env: { ...process.env, XDG_CACHE_HOME: join(root, "cold-cache") },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  await once(child, "close");
  return { pid: child.pid, output: output.trim() };
}

test("a long-living process starts again on a cold cache, under its pid, and only once", async () => {
  const cold = await serve();
  // What it starts is to find out for itself.
  assert.equal(cold.output, `${cold.pid} 1 nobody after it`);
  const warm = await serve();
  assert.equal(warm.output, `${warm.pid} first nobody after it`);
});

// An old Node is not at hand everywhere, so the launcher is told that its own is old.
const pretendOldNode =
  "data:text/javascript,Object.defineProperty(process.versions,'node',{value:'20.1.0'})";

test("an old Node without a newer one beside it says so in one sentence", () => {
  const script = join(root, "bin", "understudy.js");
  const result = spawnSync(process.execPath, ["--import", pretendOldNode, script, "up"], {
    encoding: "utf8",
  });
  assert.equal(result.status, 1);
  assert.equal(
    result.stderr,
    "understudy cannot start: it needs Node 24 or newer, this is Node 20.1.0; " +
      "install Node 24, or run npm ci here with install scripts allowed.\n",
  );
});

test("an old Node hands over to the one in node_modules and passes signals and exit status on", async () => {
  const place = join(root, "node_modules", "node", "bin");
  mkdirSync(place, { recursive: true });
  symlinkSync(process.execPath, join(place, "node"));
  const script = join(root, "bin", "understudy.js");
  const result = spawnSync(process.execPath, ["--import", pretendOldNode, script, "5"], {
    encoding: "utf8",
    env: { ...process.env, XDG_CACHE_HOME: join(root, "cache") },
  });
  assert.deepEqual([result.stdout, result.stderr, result.status], ["source 5\n", "", 5]);
});
