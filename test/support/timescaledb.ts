// The real TimescaleDB, which neither npm nor Debian 12 has: PostgreSQL and TimescaleDB of a newer
// Debian, unpacked into the tests' cache with the C library and all others that they were built
// against. Only the programs' loader and library path are changed, so that they run here beside the
// system's older C library.
import { chmod, mkdtemp, open, readdir, realpath, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { codeOf } from "../../src/core/errors.ts";
import { isUsable, probeInstallation } from "../../src/postgres/binaries/probe-installation.ts";
import type { Installation } from "../../src/postgres/installation.ts";
import { run, unpackDebianPackages } from "./debian-packages.ts";
import { openTestCache } from "./installations.ts";

/** The Debian release that packages TimescaleDB for a major. */
const RELEASES = { 17: "trixie", 18: "sid" } as const;

export type TimescaleMajor = keyof typeof RELEASES;

/** Large, and nothing that the server or its tools need: just-in-time compilation and PL/Perl. */
const NOT_NEEDED = /^lib(llvm|z3|perl)/;

/**
 * sid changes from day to day and may not fit together; so only 17 unless
 * UNDERSTUDY_TEST_TIMESCALEDB=17,18 says more.
 */
export function timescaleMajors(): readonly TimescaleMajor[] {
  const asked = process.env["UNDERSTUDY_TEST_TIMESCALEDB"] ?? "17";
  const majors = ([17, 18] as const).filter((major) => asked.split(",").includes(`${major}`));
  if (majors.length === 0) throw new Error("UNDERSTUDY_TEST_TIMESCALEDB names neither 17 nor 18");
  return majors;
}

/** Fetched once (40 MB) and kept; the next call only proves that it runs. */
export async function timescaleInstallation(major: TimescaleMajor): Promise<Installation> {
  const cache = await openTestCache();
  // The loader's path is written into the programs, so it has to be the last one.
  const home = join(await realpath(cache), `timescaledb-debian-${RELEASES[major]}-${major}`);
  const binDir = join(home, "usr/lib/postgresql", String(major), "bin");
  const kept = await probeInstallation(binDir);
  if (isUsable(kept)) return kept;
  const staging = await mkdtemp(`${home}-`);
  try {
    await chmod(staging, 0o755);
    await unpack(staging, { home, major });
    await putInPlace({ staging, home, binDir });
  } finally {
    await remove(staging);
  }
  const made = await probeInstallation(binDir);
  if (isUsable(made)) return made;
  throw new Error(`the unpacked PostgreSQL in ${binDir} cannot be used: ${made.unusable}`);
}

async function unpack(root: string, to: { home: string; major: TimescaleMajor }): Promise<void> {
  const { home, major } = to;
  const server = [`postgresql-${major}`, `postgresql-client-${major}`];
  const packages = [...server, `postgresql-${major}-timescaledb`, "patchelf"];
  await unpackDebianPackages({
    release: RELEASES[major],
    packages,
    needed: (name) =>
      packages.includes(name) || (/^(lib|zlib)/.test(name) && !NOT_NEEDED.test(name)),
    into: root,
  });
  await loadFromHome(root, {
    home,
    binDir: join(root, "usr/lib/postgresql", String(major), "bin"),
  });
  await keepOnly(root, major);
}

/**
 * Each program names its loader by an absolute path, and looks for libraries beside that loader
 * first.
 */
async function loadFromHome(root: string, to: { home: string; binDir: string }): Promise<void> {
  const parent = join(root, "usr/lib");
  const triplet = (await readdir(parent)).find((name) => name.endsWith("-linux-gnu"));
  if (triplet === undefined) throw new Error(`there is no directory of libraries in ${parent}`);
  const libraries = await readdir(join(parent, triplet));
  const loader = libraries.find((name) => /^ld-linux.*\.so\.\d+$/.test(name));
  if (loader === undefined) throw new Error(`there is no loader in ${join(parent, triplet)}`);
  const path = join(to.home, "usr/lib", triplet);
  // Not the newer kind, RUNPATH: that does not hold for what a library such as libpqwalreceiver
  // needs.
  const change = ["--set-interpreter", join(path, loader), "--force-rpath", "--set-rpath", path];
  const patchelf = ["--library-path", join(parent, triplet), join(root, "usr/bin/patchelf")];
  for (const program of await elfPrograms(to.binDir))
    await run(join(parent, triplet, loader), [...patchelf, ...change, program]);
}

async function elfPrograms(binDir: string): Promise<string[]> {
  const programs: string[] = [];
  for (const name of await readdir(binDir)) {
    const head = await readFirstBytes(join(binDir, name));
    if (head.toString("latin1") === "\u007fELF") programs.push(join(binDir, name));
  }
  return programs;
}

async function readFirstBytes(path: string): Promise<Buffer> {
  await using file = await open(path, "r");
  const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0);
  return buffer;
}

/** The server and the libraries; documentation, other programs and bitcode go. */
async function keepOnly(root: string, major: TimescaleMajor): Promise<void> {
  const kept = { ".": ["usr"], usr: ["lib", "share"], "usr/share": ["postgresql"] };
  for (const [directory, names] of Object.entries(kept))
    for (const entry of await readdir(join(root, directory)))
      if (!names.includes(entry)) await remove(join(root, directory, entry));
  await remove(join(root, "usr/lib/postgresql", String(major), "lib/bitcode"));
}

/** Another test run may have been quicker: then its copy stays, unless it is broken. */
async function putInPlace(paths: { staging: string; home: string; binDir: string }): Promise<void> {
  const { staging, home, binDir } = paths;
  for (;;)
    try {
      return await rename(staging, home);
    } catch (thrown) {
      if (codeOf(thrown) !== "ENOTEMPTY" && codeOf(thrown) !== "EEXIST") throw thrown;
      if (isUsable(await probeInstallation(binDir))) return;
      await remove(home);
    }
}

async function remove(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true });
}
