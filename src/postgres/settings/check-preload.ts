// Checks that libraries which are to be preloaded are there, before a server that cannot load them
// refuses to start.
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { UnderstudyError, codeOf } from "../../core/errors.ts";
import type { Installation } from "../installation.ts";
import { nearestName } from "./nearest-name.ts";

export interface PreloadLibrary {
  readonly name: string;
  /** default_version of its control file; null where the library is no extension (auto_explain). */
  readonly version: string | null;
}

/**
 * @returns one entry for each name, in order.
 * @throws UnderstudyError PRELOAD_MISSING naming the directory that was searched and what is there.
 */
export async function checkPreload(
  installation: Installation,
  names: readonly string[],
): Promise<PreloadLibrary[]> {
  const libraries: PreloadLibrary[] = [];
  for (const name of names) {
    checkLibraryName(name);
    if (libraries.some((library) => library.name === name))
      throw new UnderstudyError("PRELOAD_MISSING", `the library "${name}" is named twice`, {
        hint: "Name each library once.",
      });
    const present = await sharedLibraries(installation.libDir);
    if (!present.includes(name)) throw missingError(installation, { name, present });
    libraries.push({ name, version: await defaultVersion(installation, name) });
  }
  return libraries;
}

/**
 * Members that load different versions of one library read each other's data wrongly, or not at
 * all.
 * @throws UnderstudyError PRELOAD_DIFFERS naming the library, the members and their versions.
 */
export function comparePreloadVersions(
  members: ReadonlyMap<string, readonly PreloadLibrary[]>,
): void {
  const seen = new Map<string, { member: string; version: string | null }>();
  for (const [member, libraries] of members)
    for (const { name, version } of libraries) {
      const first = seen.get(name);
      if (first === undefined) seen.set(name, { member, version });
      else if (first.version !== version)
        throw new UnderstudyError(
          "PRELOAD_DIFFERS",
          `${name} has version ${first.version ?? "unknown"} on ${first.member} and ${version ?? "unknown"} on ${member}`,
          { details: { library: name, members: [first.member, member] } },
        );
    }
}

/** A path, "$libdir/x" or a comma would reach beyond the directory that is searched (lesson 50). */
function checkLibraryName(name: string): void {
  if (isLibraryName(name)) return;
  throw new UnderstudyError(
    "PRELOAD_MISSING",
    `${JSON.stringify(name)} is no name of a library: it may hold letters, digits, "_" and "-"`,
    { hint: "Give the plain name, as in: --preload pg_stat_statements" },
  );
}

function isLibraryName(name: string): boolean {
  return /^[A-Za-z0-9_][A-Za-z0-9_-]*$/.test(name);
}

/** Names without their ending: ".so", and ".dylib" on macOS from 16. */
async function sharedLibraries(libDir: string): Promise<string[]> {
  const files = await readdir(libDir);
  return files.flatMap((file) => /^(.+)\.(?:so|dylib)$/.exec(file)?.[1] ?? []).sort();
}

async function defaultVersion(installation: Installation, name: string): Promise<string | null> {
  const control = join(installation.shareDir, "extension", `${name}.control`);
  try {
    const text = await readFile(control, "utf8");
    return /^\s*default_version\s*=\s*'([^']*)'/m.exec(text)?.[1] ?? null;
  } catch (thrown) {
    if (codeOf(thrown) === "ENOENT") return null;
    throw thrown;
  }
}

function missingError(
  installation: Installation,
  search: { name: string; present: readonly string[] },
): UnderstudyError {
  const { name } = search;
  const available = search.present.filter(
    (library) => isLibraryName(library) && !isPartOfTheServer(library),
  );
  const nearest = nearestName(name, available);
  return new UnderstudyError(
    "PRELOAD_MISSING",
    `cannot preload "${name}": there is no such library in ${installation.libDir}${nearest === null ? "" : `; did you mean ${nearest}?`}`,
    {
      details: { name, directory: installation.libDir, available },
      hint: `Install it for PostgreSQL ${installation.version}, or choose one of those there: ${available.join(", ")}`,
    },
  );
}

/** Encoding conversions, languages and the like, which nobody preloads. */
function isPartOfTheServer(library: string): boolean {
  return /_and_|^lib|^pl(pgsql|perl|python|tcl)|^(dict_snowball|pgoutput|llvmjit|euc2004_sjis2004)/.test(
    library,
  );
}
