// `up`: makes a cluster where there is none, brings the same one back where there is, and returns
// when every standby streams.
import type { ClusterStatus } from "../core/cluster-status.ts";
import { UnderstudyError, messageOf } from "../core/errors.ts";
import type { ClusterRecord, RecordMember, SyncPolicy } from "../core/record.ts";
import { API_VERSION, type ClusterSpec, type Major } from "../core/spec.ts";
import { setTimeout as delay } from "node:timers/promises";
import { askStatus } from "../agent/peer.ts";
import { agentRuns } from "../agent/witness.ts";
import type { ClusterFile } from "../agent/cluster-file.ts";
import { clusterPaths } from "../agent/member-paths.ts";
import {
  findInstallation,
  type FoundInstallation,
} from "../postgres/binaries/find-installation.ts";
import { checkLocale } from "../postgres/check-locale.ts";
import { checkParameters } from "../postgres/settings/check-parameters.ts";
import { checkPreload } from "../postgres/settings/check-preload.ts";
import { adoptRecord } from "./adopt-record.ts";
import {
  endStarted,
  isWithoutAgent,
  startAgent,
  type AgentProgram,
  type StartedAgent,
} from "./agents.ts";
import { lockCluster, openCluster, readRecord, type LocalCluster } from "./cluster.ts";
import { createCluster, makeRoom, requireRoom } from "./create-cluster.ts";
import { deleteFiles } from "./delete.ts";
import { stopCluster } from "./down.ts";
import { preloadVersionsOf, requireItsLibraries, requireSameLibraries } from "./libraries.ts";
import { findOwner, type Owner } from "./owner.ts";
import { binariesHome, type ClusterPlace, type Environment } from "./place.ts";
import { refuseLessDurable } from "./parameters.ts";
import { choosePorts, describePassedOver, type MemberPorts } from "./ports.ts";
import { awaitStreaming, type UpStep } from "./await-streaming.ts";
import { refuseOtherShape, requireItsBinaries } from "./existing-cluster.ts";

export interface UpOptions {
  readonly place: ClusterPlace;
  /** Null where nothing was said: 2 for a new cluster, what is there for an old one. */
  readonly standbys: number | null;
  readonly major: Major | null;
  readonly port: number | null;
  readonly pgBin: string | null;
  /** The account that PostgreSQL runs as when root starts it. */
  readonly user: string | null;
  readonly locale: string | null;
  readonly parameters: Readonly<Record<string, string>>;
  readonly preload: readonly string[];
  /** Whether commits wait for standbys; null where nothing was said: not in a new cluster. */
  readonly sync: SyncPolicy["mode"] | null;
  /** For how many; null where nothing was said: one. */
  readonly required: number | null;
  /** Make the record anew from the members' data: the old one is lost or damaged. */
  readonly adoptRecord: boolean;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export interface UpResult {
  readonly status: ClusterStatus;
  /** Nothing had to be done. */
  readonly alreadyRunning: boolean;
}

export interface UpSurroundings {
  readonly env: Environment;
  readonly uid: number;
  readonly program: AgentProgram;
  readonly onStep: (step: UpStep) => void;
}

const DEFAULT_STANDBYS = 2;
const HEAD_START_MS = 1_000;

/**
 * @throws UnderstudyError of every kind that the issue of a bad request calls for, before anything
 * is changed; INTERRUPTED when the signal came, after what this call had begun was undone;
 * TIMED_OUT.
 */
export async function upCluster(options: UpOptions, around: UpSurroundings): Promise<UpResult> {
  const existing = await openIfThere(options.place);
  const owner =
    existing === null ? await findOwner(options.user) : await findOwner(existing.file.osUser);
  const plan = existing === null ? await planNew(options, { ...around, owner }) : null;
  if (plan !== null) await makeRoom(options.place, owner);
  using _lock = lockCluster({ place: options.place, paths: clusterPaths(options.place.dir) });
  // Another `up` may have made it before the lock was had.
  const cluster = existing ?? (await openIfThere(options.place));
  // Awaited here, because the lock is given back where this function returns.
  if (plan !== null && cluster === null) return await upNew(options, { ...around, owner, plan });
  const found = cluster ?? (await openCluster(options.place));
  return await upExisting(found, options, { ...around, owner });
}

/** What a new cluster is going to be. */
interface Plan {
  readonly file: ClusterFile;
  readonly ports: readonly MemberPorts[];
  readonly sync: SyncPolicy;
}

/** @throws UnderstudyError REFUSED. */
function syncPolicyOf(options: UpOptions): SyncPolicy {
  const { sync, required, standbys } = options;
  const policy = {
    mode: sync ?? "off",
    required: required ?? 1,
    whenUnavailable: "block",
  } as const;
  const count = standbys ?? DEFAULT_STANDBYS;
  if (policy.mode === "on" && policy.required > count)
    throw new UnderstudyError(
      "REFUSED",
      `commits cannot wait for ${policy.required} standbys: there are to be ${count}; nothing was made`,
      { hint: "Have more with --standbys, or less with --required." },
    );
  refuseLessDurable(policy, options.parameters);
  return policy;
}

/** Everything that can be wrong with the wish is found here, before anything is made. */
async function planNew(
  options: UpOptions,
  around: UpSurroundings & { owner: Owner | null },
): Promise<Plan> {
  await requireRoom(options.place, around.owner);
  const sync = syncPolicyOf(options);
  const found = await choosePostgres(options, around);
  const count = 1 + (options.standbys ?? DEFAULT_STANDBYS);
  // One installation serves every member here, so what is checked once, before anything is started,
  // holds for all of them.
  const libraries = await checkPreload(found.installation, options.preload);
  if (options.locale !== null) await requireLocale(options.locale, { found, options, ...around });
  const specification = await checkedSpecification(options, {
    found,
    count,
    onStep: around.onStep,
  });
  const chosen = await choosePorts({ first: options.port, count });
  if (chosen.passedOver.length > 0)
    around.onStep({
      kind: "note",
      text: describePassedOver(chosen),
    });
  return {
    ports: chosen.ports,
    sync,
    file: {
      specification,
      installation: found.installation,
      installationReason: found.reason,
      osUser: around.owner?.name ?? null,
      preloadVersions: preloadVersionsOf(libraries),
    },
  };
}

async function requireLocale(
  locale: string,
  of: { found: FoundInstallation; options: UpOptions; owner: Owner | null },
): Promise<void> {
  const { signal } = of.options;
  const { installation } = of.found;
  const user = of.owner === null ? {} : { uid: of.owner.uid, gid: of.owner.gid };
  await checkLocale({ installation, locale, signal, ...user });
}

async function upNew(
  options: UpOptions,
  around: UpSurroundings & { owner: Owner | null; plan: Plan },
): Promise<UpResult> {
  const { place } = options;
  await createCluster({ place, owner: around.owner, ...around.plan });
  const cluster = await openCluster(place);
  const started = new Map<string, StartedAgent>();
  try {
    const record = await readRecord(cluster);
    return await bringUp(cluster, options, { ...around, record, started, isNew: true });
  } catch (thrown) {
    const { aborted } = options.signal;
    if (!aborted && !(await isStillborn(cluster, thrown))) throw thrown;
    await endStarted(started.values());
    await stopCluster(cluster, { timeoutMs: 60_000, signal: AbortSignal.timeout(60_000) });
    await deleteFiles(cluster);
    const removed = `the new cluster ${place.name} was removed again, nothing is left of it`;
    if (aborted) throw new UnderstudyError("INTERRUPTED", `up was interrupted; ${removed}`);
    throw new UnderstudyError("INITDB_FAILED", `${messageOf(thrown)}; ${removed}`, {
      cause: thrown,
      hint: "Correct what is named there, then repeat: understudy up",
    });
  }
}

/**
 * A new cluster whose data could not be made: a second `up` could not do it either, as its wishes
 * are kept with it.
 */
async function isStillborn(cluster: LocalCluster, thrown: unknown): Promise<boolean> {
  const failed = thrown instanceof UnderstudyError && thrown.code === "START_FAILED";
  return failed && (await readRecord(cluster)).systemId === null;
}

async function upExisting(
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
    return await bringUp(cluster, options, { ...around, record, started: new Map(), isNew: false });
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

async function bringUp(
  cluster: LocalCluster,
  options: UpOptions,
  around: UpSurroundings & {
    owner: Owner | null;
    record: ClusterRecord;
    isNew: boolean;
    /** Gets the agents as they are started, so that a caller who gives up can end them. */
    started: Map<string, StartedAgent>;
  },
): Promise<UpResult> {
  const { root } = cluster.paths;
  const { started } = around;
  for (const [member, address] of Object.entries(around.record.members)) {
    if (!(await isWithoutAgent(root, member))) continue;
    const { owner, program } = around;
    const agent = await startAgent({ root, member, owner, program });
    started.set(member, agent);
    // One after the other: the first begins with initdb, which then shares the machine with one
    // agent that loads and not with all.
    if (around.isNew) await untilAnswering(address, agent);
  }
  const status = await awaitStreaming(cluster, {
    started,
    timeoutMs: options.timeoutMs,
    signal: options.signal,
    onStep: around.onStep,
  });
  return { status, alreadyRunning: started.size === 0 };
}

/** A head start and no condition: whether it comes up is watched for by awaitStreaming. */
async function untilAnswering(address: RecordMember, agent: StartedAgent): Promise<void> {
  const deadline = performance.now() + HEAD_START_MS;
  while (agent.ended() === null && performance.now() < deadline) {
    const answers = await askStatus(address, { timeoutMs: HEAD_START_MS }).then(
      () => true,
      () => false,
    );
    if (answers) return;
    await delay(10);
  }
}

async function openIfThere(place: ClusterPlace): Promise<LocalCluster | null> {
  try {
    return await openCluster(place);
  } catch (thrown) {
    if (thrown instanceof UnderstudyError && thrown.code === "CLUSTER_NOT_FOUND") return null;
    throw thrown;
  }
}

async function choosePostgres(
  options: UpOptions,
  around: UpSurroundings & { owner: Owner | null },
): Promise<FoundInstallation> {
  const { owner } = around;
  const found = await findInstallation({
    ...(options.major === null ? {} : { major: options.major }),
    ...(options.pgBin === null ? {} : { pgBin: options.pgBin }),
    ...(owner === null ? {} : { runAs: owner }),
    env: around.env,
    cacheDir: binariesHome(around),
    signal: options.signal,
    onProgress: ({ step, what }) =>
      around.onStep({
        kind: "postgres-wanted",
        progress: {
          step: `${step} ${what}`,
          bytesDone: null,
          bytesTotal: null,
          remainingSeconds: null,
        },
      }),
  });
  const { installation, reason } = found;
  const { version, binDir } = installation;
  around.onStep({ kind: "postgres-found", version, binDir, reason });
  return found;
}

/**
 * What the user asks for, checked by the chosen server's own binaries before anything is written.
 */
async function checkedSpecification(
  options: UpOptions,
  given: { found: FoundInstallation; count: number; onStep: (step: UpStep) => void },
): Promise<ClusterSpec> {
  const { installation } = given.found;
  const checked = await checkParameters({
    installation,
    parameters: options.parameters,
    preload: options.preload,
    memberCount: given.count,
  });
  for (const text of checked.warnings) given.onStep({ kind: "note", text });
  return {
    apiVersion: API_VERSION,
    kind: "PostgresCluster",
    metadata: { name: options.place.name },
    spec: {
      postgres: {
        major: installation.major,
        parameters: { ...checked.parameters },
        preload: [...options.preload],
        locale: options.locale ?? "C.UTF-8",
      },
    },
  };
}
