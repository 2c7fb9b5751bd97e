// What `doctor` looks at: the machine, every PostgreSQL that could be used and why, and the cluster
// when there is one. Changes nothing.
import { UnderstudyError, messageOf } from "../core/errors.ts";
import type { ClusterStatus } from "../core/cluster-status.ts";
import type { Major } from "../core/spec.ts";
import { listCandidates, type Candidate } from "../postgres/binaries/find-installation.ts";
import { inspectStorage } from "../postgres/storage.ts";
import { openCluster, type LocalCluster } from "./cluster.ts";
import { findOwner, requireReachable } from "./owner.ts";
import { binariesHome, type ClusterPlace, type Environment } from "./place.ts";
import { readClusterStatus } from "./read-status.ts";

export interface Finding {
  readonly verdict: "good" | "warn" | "bad";
  readonly subject: string;
  readonly text: string;
  /** What to do, where something is to be done. */
  readonly remedy: string | null;
}

export interface FindingGroup {
  readonly title: string;
  readonly findings: readonly Finding[];
}

export interface Question {
  readonly place: ClusterPlace;
  readonly env: Environment;
  readonly uid: number;
  readonly major: Major | null;
  readonly pgBin: string | null;
  readonly signal: AbortSignal;
}

const LOW_SPACE_BYTES = 2 * 1024 ** 3;
const FULL_TOOLS = ["psql", "pg_basebackup", "pg_rewind", "pg_waldump"];

export async function diagnose(question: Question): Promise<readonly FindingGroup[]> {
  return [
    { title: "This machine", findings: await machineFindings(question) },
    { title: "PostgreSQL", findings: await postgresFindings(question) },
    { title: `Cluster ${question.place.name}`, findings: await clusterFindings(question) },
  ];
}

async function machineFindings({ place, uid }: Question): Promise<Finding[]> {
  const node: Finding = {
    verdict: "good",
    subject: "Node",
    text: `${process.version} at ${process.execPath}, on ${process.platform} ${process.arch}`,
    remedy: null,
  };
  return [node, await userFinding(place, uid), await diskFinding(place)];
}

async function userFinding(place: ClusterPlace, uid: number): Promise<Finding> {
  const subject = "user";
  try {
    const owner = await findOwner(null);
    await requireReachable(place.dir, owner);
    const who = owner === null ? `you (uid ${uid})` : `${owner.name}, because root may not run it`;
    return { verdict: "good", subject, text: `PostgreSQL runs as ${who}`, remedy: null };
  } catch (thrown) {
    const remedy = thrown instanceof UnderstudyError ? thrown.hint : null;
    return { verdict: "bad", subject, text: messageOf(thrown), remedy };
  }
}

async function diskFinding(place: ClusterPlace): Promise<Finding> {
  const { freeBytes, mountPoint, fileSystem, remote } = await inspectStorage(place.dir);
  const gib = (freeBytes / 1024 ** 3).toFixed(1);
  const low = freeBytes < LOW_SPACE_BYTES;
  const where = remote === null ? mountPoint : `${remote.server}:${remote.share}`;
  return {
    verdict: low ? "warn" : "good",
    subject: "disk",
    text: `${gib} GiB free for ${place.dir} (${fileSystem} on ${where})`,
    remedy: low ? "Free some space, or choose another place with --dir." : null,
  };
}

async function postgresFindings(question: Question): Promise<Finding[]> {
  const candidates = await listCandidates({
    ...(question.major === null ? {} : { major: question.major }),
    ...(question.pgBin === null ? {} : { pgBin: question.pgBin }),
    env: question.env,
    cacheDir: binariesHome(question),
    signal: question.signal,
  });
  return candidates.map(candidateFinding);
}

function candidateFinding(candidate: Candidate): Finding {
  const missing = FULL_TOOLS.filter(
    (tool) => candidate.binDir !== undefined && !candidate.tools.includes(tool),
  );
  const chosen = candidate.verdict === "chosen" ? "chosen: " : "";
  const without =
    missing.length === 0 || candidate.verdict === "unusable"
      ? ""
      : `; without ${missing.join(", ")}`;
  return {
    verdict:
      candidate.verdict === "unusable"
        ? "bad"
        : candidate.verdict === "unsuitable"
          ? "warn"
          : "good",
    subject: candidate.version === undefined ? "PostgreSQL" : `PostgreSQL ${candidate.version}`,
    text: `${candidate.binDir ?? "npm"} (${candidate.foundBy}): ${chosen}${candidate.why}${without}`,
    remedy: candidate.missing.length === 0 ? null : `It lacks ${candidate.missing.join(", ")}.`,
  };
}

async function clusterFindings({ place, signal }: Question): Promise<Finding[]> {
  try {
    const cluster = await openCluster(place);
    const status = await readClusterStatus(cluster, signal);
    return [stateFinding(cluster, status), ...status.warnings.map(warningFinding)];
  } catch (thrown) {
    if (thrown instanceof UnderstudyError && thrown.code === "CLUSTER_NOT_FOUND")
      return [
        { verdict: "good", subject: "none yet", text: `${place.dir} is free for it`, remedy: null },
      ];
    const remedy = thrown instanceof UnderstudyError ? thrown.hint : null;
    return [{ verdict: "bad", subject: place.name, text: messageOf(thrown), remedy }];
  }
}

function stateFinding(cluster: LocalCluster, status: ClusterStatus): Finding {
  const { installation, installationReason } = cluster.file;
  return {
    verdict: status.state === "healthy" ? "good" : "bad",
    subject: status.state,
    text: `${status.members.length} members with PostgreSQL ${installation.version} (${installationReason}) in ${cluster.paths.root}`,
    remedy: status.state === "healthy" ? null : "See which member: understudy status",
  };
}

function warningFinding(text: string): Finding {
  return { verdict: "warn", subject: "warning", text, remedy: null };
}
