// Puts the agent of a member together that runs in a pod: the record is in a Lease, what it is told
// is in files that the kubelet keeps, and what it proves of others it has from the Kubernetes API.
import { randomUUID } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { UnderstudyError, messageOf } from "../core/errors.ts";
import { leaveMember } from "../core/enter-member.ts";
import type { KubernetesApi } from "../kubernetes-api/api.ts";
import { terminationLine } from "../kubernetes-api/pod-end.ts";
import { mendWalPlace } from "../postgres/wal-place.ts";
import { KubernetesStore } from "../store/kubernetes-store.ts";
import { changeRecord } from "../store/store.ts";
import { systemClock } from "./clock.ts";
import type { Program } from "./deadman/guard.ts";
import { enterCluster } from "./entry.ts";
import { firstRecord } from "./first-record.ts";
import { KubernetesWitness, proveEnd } from "./kubernetes-witness.ts";
import { say } from "./last-words.ts";
import type { MemberAddress } from "./own-address.ts";
import type { LedServices } from "./lead-services.ts";
import { MemberTls } from "./member-tls.ts";
import { ServiceSlices } from "./service-slices.ts";
import { memberPaths } from "./member-paths.ts";
import type { OwnHost } from "./own-host.ts";
import { requireOwnVolume } from "./own-volume.ts";
import { requireOwnWal } from "./own-wal.ts";
import { keepDataPrivate } from "./private-data.ts";
import { Pulse } from "./pulse.ts";
import { noteRemoval, wasJustRemoved } from "./removal.ts";
import { runAgent } from "./run-agent.ts";
import { readTold, readToldText, type Told } from "./told-files.ts";
import { ToldWatch } from "./told-watch.ts";
import { serveWaiting } from "./waiting-api.ts";

export interface KubernetesAgentOptions {
  readonly api: KubernetesApi;
  readonly namespace: string;
  readonly cluster: string;
  readonly member: string;
  /** The member's own files are below it, as on one machine. */
  readonly clusterRoot: string;
  /** A volume for its WAL alone; null: that is with its data. */
  readonly walRoot: string | null;
  /** What the kubelet keeps for it: told-files.ts. */
  readonly told: string;
  /** A private directory for its keys; null: members reach each other without TLS. */
  readonly keys: string | null;
  /** Where it listens. */
  readonly address: MemberAddress;
  readonly podOf: (member: string) => string;
  readonly container: string;
  /** The names of the EndpointSlices that the leader keeps. */
  readonly slices: { readonly write: string; readonly read: string };
  /** What is written there the kubelet tells when the container ends. */
  readonly terminationLog: string;
  /** A file that stays for as long as the pod: that this member was removed. */
  readonly removal: string;
  readonly deadmanProgram: Program;
}

/**
 * Runs until it is told to shut down.
 * @throws UnderstudyError as runAgent does, and MEMBER_IN_USE when another run of this member has
 * come before it.
 */
export async function runKubernetesAgent(options: KubernetesAgentOptions): Promise<void> {
  const { api, namespace, cluster, member, told } = options;
  const session = randomUUID();
  // Before anything else: the end of a run is only proven where it names itself.
  await writeFile(options.terminationLog, `${terminationLine(session)}\n`);
  const first = await readTold(told);
  const files = new ToldFiles(told, first);
  const paths = memberPaths(options.clusterRoot, member);
  const uid = process.getuid?.() ?? 0;
  const { installation } = first.file;
  const { walRoot } = options;
  const use = { cluster, member, paths, installation, uid };
  await requireOwnVolume(use);
  if (walRoot !== null) await requireOwnWal(use, walRoot);
  const mended = await keepDataPrivate({ paths, uid, major: installation.major });
  if (mended !== null) say(mended);
  const { keys } = options;
  const tls = keys === null ? null : await MemberTls.open({ told: join(told, "tls"), own: keys });
  const store = () => new KubernetesStore({ api, namespace, cluster });
  if (!(await enter(options, { session, files, tls }))) return;
  // Not before the run before is over, and before anything looks at the WAL.
  if (walRoot !== null) await mendWalPlace(paths.data);
  using slices = new ServiceSlices({
    api,
    namespace,
    ...options.slices,
    onTrouble: (why) => say(`the services do not follow yet: ${why}`),
  });
  void slices.prepare();
  const services = {
    put: (led: LedServices) => slices.put(led),
    forget: () => slices.forget(),
    maxLagBytes: () => files.latest.founding.maxLagBytes,
  };
  await runAgent({
    clusterRoot: options.clusterRoot,
    member,
    openStore: store,
    host: { ...hostOf(options, { session, files }), services, tls, walRoot },
    deadman: { program: options.deadmanProgram, policy: "confirmed-renewals" },
  });
  await using own = store();
  await noteWhereRemoved(options, own);
  await changeRecord(own, (record) => leaveMember(record, { name: member, session })).catch(
    (thrown: unknown) => say(`the record still names it: ${messageOf(thrown)}`),
  );
}

/**
 * Probes are told meanwhile that it is alive: it may wait for as long as the store is away.
 * @returns whether it has; false: it was told to end.
 */
async function enter(
  options: KubernetesAgentOptions,
  of: { session: string; files: ToldFiles; tls: MemberTls | null },
): Promise<boolean> {
  const { api, namespace, cluster, member, address } = options;
  const { session, files, tls } = of;
  const stop = new AbortController();
  const stopped = () => stop.abort(new UnderstudyError("INTERRUPTED", "it is to end"));
  process.once("SIGTERM", stopped);
  const pulse = new Pulse(systemClock);
  let waitsFor: string | null = null;
  try {
    await using _alive = await serveWaiting({
      member,
      host: address.host,
      port: address.apiPort,
      certificate: tls?.server ?? null,
      pulse,
      why: () => waitsFor,
      onTrouble: say,
    });
    await using own = new KubernetesStore({ api, namespace, cluster });
    await enterCluster(
      {
        store: own,
        member,
        session,
        address: tls === null ? address : { ...address, tlsName: member },
        found: async ({ goneMs }) =>
          firstRecord({
            cluster,
            member,
            goneMs,
            paths: memberPaths(options.clusterRoot, member),
            founding: files.latest.founding,
            adopter: await own.adopter(),
          }),
        whyNotNew: () => whyNotNew(options, files),
        isOver: (earlier) => proveEnd(options, { member, session: earlier }),
        onTrouble: toldOnce((why) => {
          waitsFor = why;
          say(`cannot enter ${cluster} yet: ${why}`);
        }),
        onLook: () => pulse.beat(),
        nowMs: systemClock.nowMs,
      },
      stop.signal,
    );
    return true;
  } catch (thrown) {
    if (stop.signal.aborted) return false;
    throw thrown;
  } finally {
    process.off("SIGTERM", stopped);
  }
}

/** What is tried again four times a second is told when it becomes something else. */
function toldOnce(tell: (why: string) => void): (thrown: unknown) => void {
  let last: string | null = null;
  return (thrown) => {
    const hint = thrown instanceof UnderstudyError ? `. ${thrown.hint}` : "";
    const why = `${messageOf(thrown)}${hint}`;
    if (why !== last) tell(why);
    last = why;
  };
}

function hostOf(
  options: KubernetesAgentOptions,
  of: { session: string; files: ToldFiles },
): Omit<OwnHost, "services" | "tls" | "walRoot"> {
  const { session, files } = of;
  return {
    session,
    // As it was understood last: one that cannot be must not keep an agent from deciding.
    readFile: async () => files.latest.file,
    readSecrets: async () => files.latest.secrets,
    toldGeneration: () => files.latest.founding.generation,
    watchFile: (on) => {
      const onChange = async () => {
        await files.read();
        await on.onChange();
      };
      const { text: first } = files.latest;
      return new ToldWatch({ ...on, onChange, first, readText: () => readToldText(options.told) });
    },
    syncWish: () => {
      const { sync, keepsSync } = files.latest.founding;
      return keepsSync ? sync : null;
    },
    witness: (by) => new KubernetesWitness({ ...options, ...by, clock: systemClock }),
  };
}

/**
 * A member that was removed must not come back by its agent, which lives until its pod is deleted
 * and may be told of that late.
 */
async function whyNotNew(
  { member, cluster, removal }: KubernetesAgentOptions,
  files: ToldFiles,
): Promise<string | null> {
  const { members } = (await files.read()).founding;
  const what = `${member} is no member of ${cluster} any more`;
  if (!members.includes(member)) return `${what}: the specification does not name it`;
  return (await wasJustRemoved(removal)) ? `${what}: it was removed a moment ago` : null;
}

async function noteWhereRemoved(
  { member, removal }: KubernetesAgentOptions,
  store: KubernetesStore,
): Promise<void> {
  const record = (await store.read().catch(() => null))?.record;
  if (record !== undefined && record.members[member] === undefined) await noteRemoval(removal);
}

/** What it was told last, and could be understood. */
class ToldFiles {
  readonly #directory: string;
  latest: Told;

  constructor(directory: string, first: Told) {
    this.#directory = directory;
    this.latest = first;
  }

  async read(): Promise<Told> {
    this.latest = await readTold(this.#directory);
    return this.latest;
  }
}
