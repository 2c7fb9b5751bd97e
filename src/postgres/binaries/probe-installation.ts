// Proves that a directory holds a PostgreSQL server that runs here: its programs are run, and its
// share and library directories are found and recognised by what lies in them. What is missing is
// told by name.
import { access, constants, open, realpath, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { codeOf, messageOf } from "../../core/errors.ts";
import { SUPPORTED_MAJORS, type Major, isMajor } from "../../core/spec.ts";
import type { Installation } from "../installation.ts";
import { runProgram } from "../run-program.ts";
import { buildFamily } from "./build-family.ts";

/** Whom a program is run as; only root may choose. */
export interface RunAs {
  readonly uid: number;
  readonly gid: number;
}

export interface ProbeOptions {
  readonly signal?: AbortSignal;
  /** Proves that this user can reach and run it. */
  readonly runAs?: RunAs;
  /** For each program. Default 10,000: a cold disk, or macOS looking a new program over. */
  readonly timeoutMs?: number;
}

/** A directory that cannot serve, and why. */
export interface Unusable {
  /** Part of a sentence: "postgres does not run: libicui18n.so.60 is missing". */
  readonly unusable: string;
  /** Files and libraries that are not there, by name. */
  readonly missing: readonly string[];
  /** Where it could be found out. */
  readonly version?: string;
}

/** What Understudy or its user may like to have beyond postgres and initdb. */
export const OPTIONAL_TOOLS = [
  "pg_ctl",
  "psql",
  "pg_rewind",
  "pg_basebackup",
  "pg_controldata",
  "pg_waldump",
  "pg_checksums",
  "pg_receivewal",
  "pg_verifybackup",
  "pg_amcheck",
  "pg_dump",
  "pg_resetwal",
  "pgbench",
] as const;

export function isUsable(probed: Installation | Unusable): probed is Installation {
  return !("unusable" in probed);
}

/**
 * Never throws for what is wrong with the candidate.
 * @param binDir absolute; kept as it is given, because a link such as Homebrew's outlives the
 * versions behind it.
 */
export async function probeInstallation(
  binDir: string,
  options: ProbeOptions = {},
): Promise<Installation | Unusable> {
  const missing: string[] = [];
  for (const name of ["postgres", "initdb"])
    if (!(await isThere(join(binDir, name)))) missing.push(name);
  if (missing.length > 0)
    return { unusable: `${missing.join(" and ")} ${isOrAre(missing)} not there`, missing };

  // Read while they run: it is a big file.
  const family = buildFamily(join(binDir, "postgres"));
  family.catch(() => {}); // it is awaited where the programs run
  const [server, initdb] = await Promise.all([
    versionOf(join(binDir, "postgres"), options),
    versionOf(join(binDir, "initdb"), options),
  ]);
  if ("unusable" in server) return server;
  const { version } = server;
  if ("unusable" in initdb) return { ...initdb, version };
  if (initdb.version !== version)
    return {
      unusable: `initdb is of version ${initdb.version} but postgres of ${version}`,
      missing: [],
      version,
    };
  const major = Number.parseInt(version, 10);
  if (!isMajor(major)) return { unusable: unsupported(version), missing: [], version };
  return describe(binDir, { version, major, family });
}

async function describe(
  binDir: string,
  { version, major, family }: { version: string; major: Major; family: Promise<string> },
): Promise<Installation | Unusable> {
  try {
    // PostgreSQL itself finds its files from where its program really lies, so a linked program is
    // followed.
    const prefix = dirname(dirname(await realpath(join(binDir, "postgres"))));
    const shareDir = await firstWith(sharePlaces(prefix, major), (directory) =>
      isCatalogOf(join(directory, "postgres.bki"), major),
    );
    const libDir = await firstWith(libPlaces(prefix, major), hasLibraries);
    const missing = [
      ...(shareDir === undefined ? [`share/postgres.bki of version ${major}`] : []),
      ...(libDir === undefined ? ["lib/plpgsql"] : []),
    ];
    if (shareDir === undefined || libDir === undefined)
      return { unusable: `${missing.join(" and ")} cannot be found near it`, missing, version };
    return {
      binDir,
      major,
      version,
      family: await family,
      shareDir,
      libDir,
      tools: await toolsIn(binDir),
    };
  } catch (cause) {
    return { unusable: `it cannot be read: ${messageOf(cause)}`, missing: [], version };
  }
}

async function versionOf(
  program: string,
  options: ProbeOptions,
): Promise<{ version: string } | Unusable> {
  const name = basename(program);
  try {
    const result = await runProgram({
      program,
      args: ["--version"],
      // A directory that the other user can enter; the loader's own variables stay as they are.
      cwd: "/",
      env: { ...process.env, LC_ALL: "C" },
      timeoutMs: options.timeoutMs ?? 10_000,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
      ...(options.runAs === undefined ? {} : { uid: options.runAs.uid, gid: options.runAs.gid }),
    });
    const version = /\(PostgreSQL\) (\d+(?:\.\d+|(?:devel|alpha|beta|rc)\d*)?)/.exec(result.stdout);
    if (result.status === 0 && version?.[1] !== undefined) return { version: version[1] };
    return await whyItFailed(program, result.stderr.trim() || result.stdout.trim());
  } catch (cause) {
    options.signal?.throwIfAborted();
    return { unusable: `${name} does not run: ${explain(cause, options.runAs)}`, missing: [] };
  }
}

/** The dynamic loader names what it lacks: glibc, musl and macOS each in its own words. */
async function whyItFailed(program: string, said: string): Promise<Unusable> {
  const name = basename(program);
  const library =
    /loading shared libraries: (\S+):/.exec(said) ??
    /Error loading shared library (\S+):/.exec(said) ??
    /Library not loaded: (\S+)/.exec(said);
  if (library?.[1] !== undefined)
    return { unusable: `${name} does not run: ${library[1]} is missing`, missing: [library[1]] };
  // What the kernel cannot execute is handed to a shell, whose complaint would tell nobody
  // anything.
  const build = await buildFamily(program);
  if (!build.startsWith("unknown") && !build.split("-").includes(process.arch))
    return { unusable: `${name} does not run: it is built for ${build}`, missing: [] };
  const firstLine = said.split("\n")[0] ?? "";
  return {
    unusable: `${name} --version did not answer as PostgreSQL does: ${firstLine}`,
    missing: [],
  };
}

function explain(cause: unknown, runAs: RunAs | undefined): string {
  const code = cause instanceof Error && "details" in cause ? codeOf(cause.details) : undefined;
  if (code === "EACCES" && runAs !== undefined)
    return `user ${runAs.uid} may not reach or execute it`;
  // The kernel says so when the file is there but its program interpreter is not (a glibc program
  // on musl).
  if (code === "ENOENT") return "the loader that it was built for is not on this system";
  return messageOf(cause);
}

function unsupported(version: string): string {
  const first = SUPPORTED_MAJORS[0];
  const last = SUPPORTED_MAJORS.at(-1);
  return `version ${version} is none of the supported majors ${first} to ${last}`;
}

/**
 * Every build that we know puts its files in one of these: npm's, Debian's, RPM's, Alpine's,
 * Homebrew's …
 */
function sharePlaces(prefix: string, major: Major): readonly string[] {
  return [
    join(prefix, "share/postgresql"),
    join(prefix, `share/postgresql@${major}`),
    join(prefix, "share/pgsql"),
    join(prefix, "share"),
    ...brewPlaces(prefix, `share/postgresql@${major}`),
    // Debian's, from PREFIX/lib/postgresql/17: also of packages that were unpacked beside the
    // system.
    join(prefix, `../../../share/postgresql/${major}`),
    `/usr/share/postgresql/${major}`,
    `/usr/share/postgresql${major}`,
    "/usr/share/pgsql",
    "/usr/share/postgresql",
  ];
}

function libPlaces(prefix: string, major: Major): readonly string[] {
  return [
    join(prefix, "lib/postgresql"),
    join(prefix, `lib/postgresql@${major}`),
    join(prefix, "lib64/pgsql"),
    join(prefix, "lib/pgsql"),
    join(prefix, "lib"),
    ...brewPlaces(prefix, `lib/postgresql@${major}`),
    `/usr/lib/postgresql/${major}/lib`,
    `/usr/lib/postgresql${major}`,
    "/usr/lib64/pgsql",
    "/usr/lib/postgresql",
  ];
}

/** Homebrew's programs lie in PREFIX/Cellar/postgresql@17/17.2 but their files in PREFIX/share. */
function brewPlaces(prefix: string, place: string): readonly string[] {
  const cellar = prefix.indexOf("/Cellar/");
  return cellar < 0 ? [] : [join(prefix.slice(0, cellar), place)];
}

async function firstWith(
  directories: readonly string[],
  holds: (directory: string) => Promise<boolean>,
): Promise<string | undefined> {
  for (const directory of directories) if (await holds(directory)) return directory;
  return undefined;
}

/** initdb reads this file first and refuses one whose first line names another major. */
async function isCatalogOf(path: string, major: Major): Promise<boolean> {
  try {
    const file = await open(path, "r");
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(64), 0, 64, 0);
      const line = buffer.toString("latin1", 0, bytesRead).split("\n")[0];
      return line === `# PostgreSQL ${major}`;
    } finally {
      await file.close();
    }
  } catch {
    return false;
  }
}

async function hasLibraries(directory: string): Promise<boolean> {
  for (const name of ["plpgsql.so", "plpgsql.dylib"])
    if (await isThere(join(directory, name))) return true;
  return false;
}

async function toolsIn(binDir: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const tool of OPTIONAL_TOOLS) if (await isExecutable(join(binDir, tool))) found.push(tool);
  return found;
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

function isOrAre(names: readonly string[]): string {
  return names.length === 1 ? "is" : "are";
}
