// Puts one member's agent together and runs it until it is told to shut down. Started by root it
// becomes the cluster's user first, for good.
import { mkdir } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { flushCompileCache } from "node:module";
import { UnderstudyError, messageOf } from "../core/errors.ts";
import { findOsUser, dropPrivileges } from "../postgres/os-user.ts";
import { findPostmaster } from "../postgres/processes.ts";
import { PostgresServer } from "../postgres/server.ts";
import type { ClusterRecord } from "../core/record.ts";
import { moveApi } from "../core/record-changes.ts";
import { SUPERUSER } from "../core/role.ts";
import { tryLock, type ProcessLock } from "../store/process-lock.ts";
import { changeRecord, type Store } from "../store/store.ts";
import { Agent } from "./agent.ts";
import { systemClock } from "./clock.ts";
import { readClusterFile, readSecrets } from "./cluster-file.ts";
import { FIRST_NEED_LIMIT_MS, mayWaitForDeadman, needsDeadman } from "./deadman/first-need.ts";
import { DeadmanGuard, type Program, type Standing } from "./deadman/guard.ts";
import { doubtersOf } from "./confirmation.ts";
import type { DeadlinePolicy } from "./deadman/policy.ts";
import {
  permitHighPriority,
  rememberUsualPriority,
  takeUsualPriority,
  usualPriority,
} from "./deadman/priority.ts";
import { serviceOnDisk } from "./effects/settings.ts";
import { Drained } from "./drained.ts";
import { EFFECTS } from "./effects/table.ts";
import { isUp, observeGround } from "./ground.ts";
import { Journal } from "./journal.ts";
import { ServiceLeader } from "./lead-services.ts";
import { say } from "./last-words.ts";
import { LeaderWatch } from "./leader-watch.ts";
import { LeaseKeeper } from "./lease-keeper.ts";
import { MemberMemory } from "./memory.ts";
import { trustOf, type Member } from "./member.ts";
import { clusterPaths, memberPaths } from "./member-paths.ts";
import { NewsTeller } from "./news-teller.ts";
import { OwnHeap, v8Collector } from "./own-heap.ts";
import type { OwnHost } from "./own-host.ts";
import { keepAddress, ownAddress } from "./own-address.ts";
import { requireOwnData } from "./own-data.ts";
import { AgentPresence } from "./presence.ts";
import { PositionProbe } from "./probe.ts";
import { Pulse } from "./pulse.ts";
import { prepareWal } from "./own-wal.ts";
import { takeUpRenewals } from "./renewals.ts";
import { RequestDesk } from "./requests.ts";
import { scheduleOf } from "./schedule.ts";
import { serveWhereFree } from "./serve-where-free.ts";
import { Session } from "./session.ts";
import { shutOutAt } from "./shut-out.ts";
import { StoreOutage } from "./store-outage.ts";
import { Supply } from "./supply.ts";
import { SyncKeeping } from "./sync/sync-keeping.ts";
import { SyncWatch } from "./sync/sync-watch.ts";
import { SyncWish } from "./sync/sync-wish.ts";
import { troubleWithFile } from "./told-watch.ts";
import { LocalWitness } from "./witness.ts";

const LOCK_TRIES = 20;
const LOCK_PAUSE_MS = 50;
/**
 * As long as the record, which says it, is not known. Where nobody takes over by time it is a whole
 * lease: an agent that has just begun is busy.
 */
const FIRST_TTL_MS: Readonly<Record<DeadlinePolicy, number>> = {
  "confirmed-renewals": 2_000,
  "own-liveness": 5_000,
};

export interface RunAgentOptions {
  readonly clusterRoot: string;
  readonly member: string;
  /** Left out: all members are on this machine. */
  readonly host?: OwnHost;
  /** Opens the store that holds the cluster's record. */
  readonly openStore: (cluster: string) => Store;
  readonly deadman: {
    /** How a deadman is started: what comes before its command. */
    readonly program: Program;
    readonly policy: DeadlinePolicy;
  };
}

/**
 * @throws UnderstudyError MEMBER_IN_USE when another agent runs this member or its data,
 * MEMBER_NOT_FOUND when the record has none of that name, PORT_TAKEN, and whatever reading the
 * cluster's files may throw.
 */
export async function runAgent(options: RunAgentOptions): Promise<void> {
  const cluster = clusterPaths(options.clusterRoot);
  const paths = memberPaths(options.clusterRoot, options.member);
  const { host } = options;
  const tls = host?.tls ?? null;
  const walRoot = host?.walRoot ?? null;
  const trust = (member: string) => trustOf({ tls }, member);
  const readFile = host?.readFile ?? (() => readClusterFile(cluster.cluster));
  let file = await readFile();
  rememberUsualPriority();
  await becomeClusterUser(file.osUser);
  const secrets = await (host === undefined ? readSecrets(cluster.secrets) : host.readSecrets());
  await mkdir(paths.logs, { recursive: true, mode: 0o700 });
  const lock = await lockMember(paths.agentLock);
  if (lock === null)
    throw new UnderstudyError(
      "MEMBER_IN_USE",
      `another agent already runs ${options.member} in ${paths.root}`,
    );
  requireOwnData({ member: options.member, paths });
  // As long as there is this process: who finds it free is told that no agent is left.
  process.once("exit", () => lock[Symbol.dispose]());

  const log = new Journal({ path: paths.agentLog, member: options.member });
  const events = new Journal({ path: paths.events, member: options.member });
  await using store = options.openStore(file.specification.metadata.name);
  const own = { member: options.member, lastAddress: paths.address };
  const address = await ownAddress(store, own);

  let agent: Agent | null = null;
  let guard: DeadmanGuard | null = null;
  const wake = () => {
    // First: the deadman is to know of a lease before anything is done with it.
    guard?.look();
    agent?.wake();
  };
  const target = {
    host: address.host,
    port: address.port,
    user: SUPERUSER,
    password: secrets.superuser,
    applicationName: `understudy ${options.member}`,
  };
  const session = new Session({ target, onLost: wake });
  const longSession = new Session({ target, onLost: () => {} });
  const positions = new PositionProbe(session);
  const server = new PostgresServer({
    installation: file.installation,
    dataDir: paths.data,
    configFile: paths.configFile,
    logDir: paths.logs,
    backendOomScore: usualPriority().oomScoreAdj,
    ...prepareWal({ paths, walRoot }),
    onExit: () => {
      positions.forget();
      wake();
    },
  });
  const memory = await MemberMemory.load(paths.memory);
  const outage = new StoreOutage({
    member: options.member,
    clock: systemClock,
    log,
    events,
    isLeader: () => keeper.holdsLease,
  });
  const keeper: LeaseKeeper = new LeaseKeeper({
    store,
    clock: systemClock,
    oldestTerm: () => memory.term,
    member: options.member,
    position: () => leasePosition(positions),
    onChange: wake,
    sending: () => guard?.sending() ?? (() => {}),
    isConfirmedByAll: async (record) => {
      const asking = { self: options.member, token: secrets.apiToken, trust };
      const doubters = await doubtersOf(record, asking);
      const doubts = doubters.map(({ why }) => why);
      outage.noteDoubts(record, doubts);
      return doubts.length === 0;
    },
    onStoreTrouble: (why) => outage.note(why),
    changesUnread: host !== undefined,
    ...(host === undefined ? {} : { onPutBack: (record) => outage.notePutBack(record) }),
  });
  const witness =
    host?.witness({
      record: () => keeper.record,
      onProof: wake,
      onTrouble: (why) => log.write({ event: "no-proof", level: "warning", message: why }),
    }) ?? new LocalWitness(options.clusterRoot);
  const presence = new AgentPresence({
    clock: systemClock,
    token: secrets.apiToken,
    trust,
    onLost: wake,
  });
  using leaderWatch = new LeaderWatch({
    self: options.member,
    clock: systemClock,
    keeper,
    witness,
    presence,
    isTimed: options.deadman.policy === "confirmed-renewals",
    wake,
  });
  const sync = new SyncKeeping();
  sync.isOpen = (await serviceOnDisk({ paths })).isOpen;
  const member: Member = {
    name: options.member,
    clock: systemClock,
    cluster: file.specification.metadata.name,
    clusterRoot: options.clusterRoot,
    paths,
    walRoot,
    secrets,
    tls,
    server,
    session,
    longSession,
    positions,
    shutOut: shutOutAt({ target, dataDir: paths.data, clock: systemClock }),
    keeper,
    memory,
    witness,
    drained: new Drained(),
    leaderWatch,
    sync,
    supply: new Supply(systemClock),
    logical: { synchronizedSlots: [] },
    log,
    file: () => file,
    event: (entry) => {
      events.write(entry);
      log.write(entry);
    },
    progress: (progress) => agent?.setProgress(progress),
    wake,
  };
  const rereadFile = async () => {
    file = await readFile();
  };
  using schedule = scheduleOf(member, () => agent);
  const pulse = new Pulse(systemClock);
  const services = host === undefined ? null : new ServiceLeader({ member, ...host.services });
  const wish = host === undefined ? null : new SyncWish({ member, wish: host.syncWish });
  const news = new NewsTeller({ member, presence });
  const running = new Agent({
    member,
    observe: observeGround,
    leaderIsGone: (record) => leaderWatch.isGone(record),
    effects: EFFECTS,
    rereadFile,
    onLook: (record, ground) => {
      pulse.beat();
      if (host !== undefined && record !== null) endWhenSucceeded(record, options.member, host);
      if (needsDeadman({ record, ground, member: options.member })) guard?.begin();
      services?.look(record, ground);
      wish?.look(record);
      news.look(record);
      schedule.look(record, ground);
    },
    isShutOut: async (ground) =>
      keeper.holdsLease && isUp(ground) && (await member.shutOut.look()) !== null,
    isCalm: () => isFed(positions),
  });
  agent = running;
  const isBusy = () => running.activity.effect !== null;
  using _heap = new OwnHeap({ clock: systemClock, isBusy, collector: v8Collector });
  using _fileWatch = host?.watchFile({
    clock: systemClock,
    onChange: async () => {
      await rereadFile();
      running.specificationRead();
      log.write({ event: "specification-read", message: "The specification has changed." });
    },
    onTrouble: (why) => log.write(troubleWithFile(why)),
  });
  using _syncWatch = new SyncWatch({ member, agent: running });
  await using deadman = new DeadmanGuard({
    ...options.deadman,
    member: options.member,
    paths,
    restart: { file: process.execPath, args: ownArguments(), output: paths.agentOutput },
    standing: () =>
      standingOf({ keeper, agent: running, dataDir: paths.data, policy: options.deadman.policy }),
    log,
  });
  const requests = new RequestDesk({
    member,
    agent: running,
    rereadFile,
    pulse,
    storeTrouble: () => outage.why,
    ...(host === undefined ? {} : { toldGeneration: host.toldGeneration }),
  });
  await using api = await serveWhereFree({
    host: address.host,
    port: address.apiPort,
    token: secrets.apiToken,
    requests,
    certificate: tls?.server ?? null,
  });
  if (api.port !== address.apiPort)
    await changeRecord(store, (record) =>
      moveApi(record, { name: options.member, apiPort: api.port }),
    );
  const notKept = await keepAddress(paths.address, { ...address, apiPort: api.port });
  if (notKept !== null)
    log.write({ event: "address-not-kept", level: "warning", message: notKept });
  using _renewals = tls === null ? null : takeUpRenewals(tls, { member, api });
  process.once("SIGTERM", () => {
    const ending = host === undefined ? requests.shutDown() : requests.leave();
    void ending.catch((thrown: unknown) => {
      log.write({ event: "shutdown-failed", level: "error", message: messageOf(thrown) });
    });
  });
  log.write({
    event: "agent-started",
    message: `The agent of ${options.member} runs.`,
    details: { pid: process.pid },
  });
  // Not before everything else is up: an agent that cannot run leaves the watch to the deadman that
  // has started it.
  guard = deadman;
  if (await mayWaitForDeadman(paths.data)) deadman.beginWithin(FIRST_NEED_LIMIT_MS);
  else deadman.begin();
  takeUsualPriority();
  if (options.deadman.policy === "confirmed-renewals") await renewAtOnce(keeper);
  await running.run();
  log.write({ event: "agent-ended", message: `The agent of ${options.member} ends.` });
}

/**
 * Another run of this member has proven this one to be over: whatever it would do now, it would do
 * to the other's data. The deadman has ended its server by then.
 */
function endWhenSucceeded(record: ClusterRecord, member: string, { session }: OwnHost): void {
  const present = record.members[member]?.session;
  if (present === undefined || present === session) return;
  say(`another run of ${member} has entered the cluster; this one ends`);
  process.exit(1);
}

/** A server that was there before lives on by a renewal; its time was not meant for a start. */
async function renewAtOnce(keeper: LeaseKeeper): Promise<void> {
  await keeper.refresh();
  await keeper.renew();
}

/**
 * Tries for a moment: whoever only looks whether an agent runs is in the way for as long as it
 * looks.
 */
async function lockMember(path: string): Promise<ProcessLock | null> {
  for (let attempt = 1; ; attempt += 1) {
    const lock = tryLock(path);
    if (lock !== null || attempt === LOCK_TRIES) return lock;
    await delay(LOCK_PAUSE_MS);
  }
}

/** What is written with each renewal: nothing as long as this member is not writable. */
function leasePosition({ latest }: PositionProbe): { lsn: string | null; timeline: number | null } {
  return latest === null || latest.inRecovery
    ? { lsn: null, timeline: null }
    : { lsn: latest.writeLsn, timeline: latest.timeline };
}

/** A standby that receives nothing is looked after more often. */
function isFed({ latest }: PositionProbe): boolean {
  return latest === null || !latest.inRecovery || latest.receiver === "streaming";
}

/** As this process was started, without the program's own name. */
function ownArguments(): string[] {
  return [...process.execArgv, ...process.argv.slice(1)];
}

/** A server that an earlier agent has left may be anything until it was looked at. */
function standingOf(of: {
  keeper: LeaseKeeper;
  agent: Agent;
  dataDir: string;
  policy: DeadlinePolicy;
}): Standing {
  const { record, holdsLease } = of.keeper;
  const { ground } = of.agent;
  const isUnseen = ground === "nothing" && findPostmaster(of.dataDir) !== null;
  return {
    holdsLease: record === null ? null : holdsLease,
    mayBeWritable: ground === "primary" || ground === "held" || isUnseen,
    isUnseen,
    term: record?.term ?? 0,
    ttlMs: record?.ttlMs ?? FIRST_TTL_MS[of.policy],
  };
}

async function becomeClusterUser(name: string | null): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const user = await findOsUser(name === null ? {} : { wanted: name });
  // Node writes its compile cache when the process ends, which that user could not; without it the
  // next agent would strip and compile everything again, for half a second and 30 MB.
  flushCompileCache();
  await permitHighPriority();
  if (user !== null) dropPrivileges(user);
}
