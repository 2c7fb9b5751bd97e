// `up` of a cluster that is there: it is brought back as it is.
import { UnderstudyError } from "../core/errors.ts";
import type { ClusterRecord } from "../core/record.ts";
import { agentRuns } from "../agent/witness.ts";
import { adoptRecord } from "./adopt-record.ts";
import { bringUp } from "./bring-up.ts";
import { openCluster, readRecord, type LocalCluster } from "./cluster.ts";
import { refuseOtherShape, requireItsBinaries } from "./existing-cluster.ts";
import { requireItsLibraries, requireSameLibraries } from "./libraries.ts";
import type { Owner } from "./owner.ts";
import type { UpOptions, UpResult, UpSurroundings } from "./up.ts";

/**
 * @throws UnderstudyError INTERRUPTED when the signal came, and of every kind that starting may end
 * in.
 */
export async function upExisting(
  cluster: LocalCluster,
  options: UpOptions,
  around: UpSurroundings & { owner: Owner | null },
): Promise<UpResult> {
  if (options.adoptRecord) await adoptAndTell(cluster, around);
  const record = await readRecord(cluster);
  refuseOtherShape(cluster, { options, record });
  await requireItsBinaries(cluster, options);
  const { installation, installationReason } = cluster.file;
  around.onStep({
    kind: "postgres-found",
    version: installation.version,
    binDir: installation.binDir,
    reason: installationReason,
  });
  // Opened anew: the binaries may have been noted as upgraded.
  const opened = await openCluster(options.place);
  for (const text of await checkItsLibraries(opened, record)) around.onStep({ kind: "note", text });
  try {
    return await bringUp(cluster, options, { ...around, record, started: new Map() });
  } catch (thrown) {
    if (!options.signal.aborted) throw thrown;
    throw new UnderstudyError(
      "INTERRUPTED",
      `up was interrupted; the agents of ${cluster.place.name} that were started go on`,
      {
        hint: "See the state: understudy status; end them: understudy down",
      },
    );
  }
}

async function adoptAndTell(
  cluster: LocalCluster,
  around: UpSurroundings & { owner: Owner | null },
): Promise<void> {
  const adoption = await adoptRecord(cluster, around.owner);
  const { heir, term, timeline, endLsn, diverged, kept } = adoption;
  around.onStep({
    kind: "note",
    text: `the record was made anew: ${heir} has the newest WAL (timeline ${timeline}, ${endLsn}) and leads in term ${term}${kept.length === 0 ? "" : `; the damaged one is kept as ${kept[0]}`}`,
  });
  around.onStep({
    kind: "note",
    text: "what config, member, pause and fence had set was in the lost record: set it again",
  });
  if (diverged.length > 0)
    around.onStep({
      kind: "note",
      text: `${diverged.join(", ")} ${diverged.length === 1 ? "has" : "have"} WAL that ${heir} has not, or that is not proven to be the same: it is set aside and kept, and ${heir} is copied`,
    });
}

/** @returns what changed since the members were last started. */
async function checkItsLibraries(cluster: LocalCluster, record: ClusterRecord): Promise<string[]> {
  const members = Object.keys(record.members);
  const stopped = members.filter((member) => !agentRuns(cluster.paths.root, member));
  if (stopped.length === members.length) return requireItsLibraries(cluster);
  for (const member of stopped) await requireSameLibraries(cluster, member);
  return [];
}
