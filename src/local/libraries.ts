// The preloaded libraries of a cluster that is there. All members of one machine load the same
// files, so two of them can only differ when the files were replaced while some members ran: those
// keep what they loaded when they started.
import { writeClusterFile } from "../agent/cluster-file.ts";
import { UnderstudyError } from "../core/errors.ts";
import {
  checkPreload,
  comparePreloadVersions,
  type PreloadLibrary,
} from "../postgres/settings/check-preload.ts";
import type { LocalCluster } from "./cluster.ts";

/**
 * Before all members are started or restarted: whether the libraries are still there. A new version
 * is welcome, kept in the cluster's file, and told, because an extension's objects in a database
 * stay old until they are updated (manual, ALTER EXTENSION).
 * @returns one sentence for each library whose version has changed.
 * @throws UnderstudyError PRELOAD_MISSING.
 */
export async function requireItsLibraries(cluster: LocalCluster): Promise<string[]> {
  const { file, paths } = cluster;
  const libraries = await installedLibraries(cluster);
  const notes = libraries.flatMap(({ name, version }) => {
    const before = file.preloadVersions[name];
    return before === undefined || before === version
      ? []
      : [
          `${name} is of version ${version ?? "unknown"} now, it was ${before ?? "unknown"}: in each database that has it, run ALTER EXTENSION ${name} UPDATE`,
        ];
  });
  const preloadVersions = preloadVersionsOf(libraries);
  if (JSON.stringify(preloadVersions) !== JSON.stringify(file.preloadVersions))
    await writeClusterFile(paths.cluster, { ...file, preloadVersions });
  return notes;
}

/**
 * Before one member is started among others that run.
 * @throws UnderstudyError PRELOAD_MISSING, PRELOAD_DIFFERS.
 */
export async function requireSameLibraries(cluster: LocalCluster, member: string): Promise<void> {
  const libraries = await installedLibraries(cluster);
  const running = libraries.flatMap(({ name }) => {
    const version = cluster.file.preloadVersions[name];
    return version === undefined ? [] : [{ name, version }];
  });
  try {
    comparePreloadVersions(
      new Map([
        ["the members that run", running],
        [member, libraries],
      ]),
    );
  } catch (cause) {
    if (!(cause instanceof UnderstudyError)) throw cause;
    throw new UnderstudyError(cause.code, cause.message, {
      cause,
      details: cause.details,
      hint: "Let every member load the new version first: understudy restart",
    });
  }
}

export function preloadVersionsOf(
  libraries: readonly PreloadLibrary[],
): Record<string, string | null> {
  return Object.fromEntries(libraries.map(({ name, version }) => [name, version]));
}

function installedLibraries({ file }: LocalCluster): Promise<PreloadLibrary[]> {
  return checkPreload(file.installation, file.specification.spec.postgres.preload);
}
