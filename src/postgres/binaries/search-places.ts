// Where an installed PostgreSQL may lie: what pg_config says, the places of the packagings, PATH.
// Directories only; whether anything in them runs is for the probe to say.
import { glob, realpath, stat } from "node:fs/promises";
import { delimiter, isAbsolute, join } from "node:path";
import { runProgram } from "../run-program.ts";

export interface SearchedPlace {
  readonly binDir: string;
  /** Continues "found": "by pg_config", "in its usual place", "on PATH". */
  readonly foundBy: string;
}

/** Patterns in which `*` stands for one name. */
export const SYSTEM_PLACES: readonly string[] = [
  // Debian, Ubuntu and apt.postgresql.org
  "/usr/lib/postgresql/*/bin",
  // yum.postgresql.org
  "/usr/pgsql-*/bin",
  // openSUSE
  "/usr/lib/postgresql*/bin",
  // Homebrew: Apple silicon, Intel, Linux
  "/opt/homebrew/opt/postgresql@*/bin",
  "/usr/local/opt/postgresql@*/bin",
  "/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
  // macOS: Postgres.app, EDB's installer, MacPorts
  "/Applications/Postgres.app/Contents/Versions/*/bin",
  "/Library/PostgreSQL/*/bin",
  "/opt/local/lib/postgresql*/bin",
  // Alpine
  "/usr/libexec/postgresql*",
  // built from source
  "/usr/local/pgsql/bin",
];

export interface SearchOptions {
  readonly env: NodeJS.ProcessEnv;
  /** Default SYSTEM_PLACES. */
  readonly places?: readonly string[];
  readonly signal?: AbortSignal;
}

/** Every directory once, in the order of the search. */
export async function searchPlaces(options: SearchOptions): Promise<readonly SearchedPlace[]> {
  const path = (options.env["PATH"] ?? "").split(delimiter).filter(isAbsolute);
  const found: SearchedPlace[] = [
    ...(await askPgConfig(path, options)),
    ...(await usualPlaces(options.places ?? SYSTEM_PLACES)),
  ];
  for (const directory of path)
    if (await isFile(join(directory, "postgres")))
      found.push({ binDir: directory, foundBy: "on PATH" });
  return withoutRepeats(found);
}

/** One that does not answer is passed over: the places and PATH come after it. */
async function askPgConfig(
  path: readonly string[],
  options: SearchOptions,
): Promise<readonly SearchedPlace[]> {
  for (const directory of path) {
    const program = join(directory, "pg_config");
    if (!(await isFile(program))) continue;
    try {
      const { status, stdout } = await runProgram({
        program,
        args: ["--bindir"],
        cwd: "/",
        env: options.env,
        timeoutMs: 5_000,
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      });
      const binDir = stdout.trim();
      if (status === 0 && isAbsolute(binDir)) return [{ binDir, foundBy: "by pg_config" }];
    } catch {
      options.signal?.throwIfAborted();
    }
  }
  return [];
}

async function usualPlaces(patterns: readonly string[]): Promise<readonly SearchedPlace[]> {
  const found: SearchedPlace[] = [];
  for (const pattern of patterns) {
    const directories: string[] = [];
    for await (const directory of glob(pattern)) directories.push(directory);
    directories.sort((left, right) => right.localeCompare(left, "en", { numeric: true }));
    for (const binDir of directories) found.push({ binDir, foundBy: "in its usual place" });
  }
  return found;
}

/**
 * Links make one installation appear in many places: Postgres.app's "latest", a program linked into
 * /usr/bin.
 */
async function withoutRepeats(places: readonly SearchedPlace[]): Promise<readonly SearchedPlace[]> {
  const byRealPath = new Map<string, SearchedPlace>();
  for (const place of places) {
    const real = await realpath(join(place.binDir, "postgres")).catch(() => place.binDir);
    if (!byRealPath.has(real)) byRealPath.set(real, place);
  }
  return [...byRealPath.values()];
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
