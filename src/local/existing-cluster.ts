// What `up` checks of a cluster that is already there: that it is asked for as it is, and that its
// binaries are still the ones that made its data.
import { UnderstudyError } from "../core/errors.ts";
import type { ClusterRecord } from "../core/record.ts";
import { writeClusterFile } from "../agent/cluster-file.ts";
import { isUsable, probeInstallation } from "../postgres/binaries/probe-installation.ts";
import { assertSameBuild } from "../postgres/binaries/same-build.ts";
import type { LocalCluster } from "./cluster.ts";
import type { UpOptions } from "./up.ts";

/**
 * `up` does not change a cluster: each difference has a command of its own.
 * @throws UnderstudyError BINARIES_DIFFER or REFUSED, naming that command.
 */
export function refuseOtherShape(
  cluster: LocalCluster,
  wanted: { options: UpOptions; record: ClusterRecord },
): void {
  const { options, record } = wanted;
  const { installation, specification, osUser } = cluster.file;
  const { name } = cluster.place;
  if (options.major !== null && options.major !== installation.major)
    throw new UnderstudyError(
      "BINARIES_DIFFER",
      `${name} holds data of PostgreSQL ${installation.major}, which PostgreSQL ${options.major} cannot open`,
      { hint: "Leave --postgres away, or make another cluster with --name." },
    );
  const standbys = Object.keys(record.members).length - 1;
  if (options.standbys !== null && options.standbys !== standbys)
    throw new UnderstudyError(
      "REFUSED",
      `${name} has ${standbys} standbys, not ${options.standbys}; up changes nothing of a cluster that is there`,
      {
        hint: "Use: understudy standby add, understudy standby remove NAME",
      },
    );
  const { mode, required } = record.sync;
  const hasOtherSync = options.sync !== null && options.sync !== mode;
  if (hasOtherSync || (options.required !== null && options.required !== required))
    throw new UnderstudyError(
      "REFUSED",
      `${name} has sync=${mode} required=${required}; up changes nothing of a cluster that is there`,
      {
        hint: `Use: understudy config set sync=${options.sync ?? mode} required=${options.required ?? required}`,
      },
    );
  const first = Math.min(...Object.values(record.members).map(({ port }) => port));
  if (options.port !== null && options.port !== first)
    throw new UnderstudyError("REFUSED", `${name} has its ports from ${first} on, and keeps them`, {
      hint: "Leave --port away.",
    });
  const { parameters, preload, locale } = specification.spec.postgres;
  if (options.user !== null && options.user !== osUser)
    throw new UnderstudyError(
      "REFUSED",
      `${name} runs as ${osUser ?? "the user who made it"}, not as ${options.user}, and keeps to that`,
      { hint: "Leave --user away, or make another cluster with --name." },
    );
  if (options.locale !== null && options.locale !== locale)
    throw new UnderstudyError(
      "REFUSED",
      `the data of ${name} was made with the locale ${locale}, not ${options.locale}, and keeps it`,
      { hint: "Leave --locale away, or make another cluster with --name." },
    );
  for (const [parameter, value] of Object.entries(options.parameters))
    if (parameters[parameter.toLowerCase()] !== value)
      throw new UnderstudyError(
        "REFUSED",
        `${name} has ${parameter} = ${parameters[parameter.toLowerCase()] ?? "its default"}, not ${value}; up changes nothing of a cluster that is there`,
        {
          hint: `Use: understudy param set ${parameter}=${value}`,
        },
      );
  if (options.preload.some((library) => !preload.includes(library)))
    throw new UnderstudyError(
      "REFUSED",
      `${name} preloads ${preload.join(", ") || "nothing"}; up changes nothing of a cluster that is there`,
      {
        hint: "Make another cluster with --name.",
      },
    );
}

/**
 * A patch upgrade in the same place is welcome and noted; anything else is refused.
 * @throws UnderstudyError POSTGRES_UNUSABLE or BINARIES_DIFFER.
 */
export async function requireItsBinaries(
  cluster: LocalCluster,
  options: Pick<UpOptions, "pgBin" | "signal">,
): Promise<void> {
  const { file, paths } = cluster;
  const binDir = options.pgBin ?? file.installation.binDir;
  const probed = await probeInstallation(binDir, { signal: options.signal });
  if (!isUsable(probed))
    throw new UnderstudyError(
      "POSTGRES_UNUSABLE",
      `the PostgreSQL of ${cluster.place.name} in ${binDir} cannot be used any more: ${probed.unusable}`,
      {
        hint: `Install PostgreSQL ${file.installation.major} of the same build there again, or name its new place with --pg-bin.`,
      },
    );
  assertSameBuild(file.installation, probed);
  if (probed.version !== file.installation.version || probed.binDir !== file.installation.binDir)
    await writeClusterFile(paths.cluster, { ...file, installation: probed });
}
