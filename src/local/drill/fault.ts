// The faults that a drill can make: what each does to the primary, how it is told, and what is to
// be undone. All of them are things that happen by themselves one day.
import { DatabaseSync } from "node:sqlite";
import { findAgentsOf } from "../../agent/agent-processes.ts";
import { findDeadmen } from "../../agent/deadman/deadmen.ts";
import { memberPaths } from "../../agent/member-paths.ts";
import { UnderstudyError, codeOf, messageOf } from "../../core/errors.ts";
import { killServer, untilStandsStill } from "../../postgres/processes.ts";
import { isWithoutAgent, startAgent, type AgentProgram } from "../agents.ts";
import { askAgent, readRecord, recordMember, type LocalCluster } from "../cluster.ts";
import { findOwner } from "../owner.ts";
import type { DrillFault } from "./fault-name.ts";
import { freezeMember } from "./freeze.ts";

/** Whom it happens to. */
export interface Target {
  readonly cluster: LocalCluster;
  readonly member: string;
  /** The best standby. */
  readonly successor: string;
  readonly program: AgentProgram;
  readonly signal: AbortSignal;
}

export interface Fault {
  /** What happens to this member, as a sentence without its full stop. */
  readonly describe: (member: string) => string;
  /** "the crash": as in "1.2 s after the crash". */
  readonly noun: string;
  /**
   * It goes on for so long, and then it is undone. Null: it is undone when another member leads, or
   * there is nothing to be undone.
   */
  readonly lastsMs: number | null;
  /** Whether the old primary is only able to come back when it has been undone. */
  readonly comesBackAfter: "fault" | "undoing";
  /** What is done to undo it: "the agent of demo-1 is started again". Null: nothing is. */
  readonly describeUndo: ((member: string) => string) | null;
  /** Returns when it has happened. What is to be undone is deferred before it is done. */
  readonly inflict: (target: Target, undoing: AsyncDisposableStack) => Promise<void>;
}

const KILL_LIMIT_MS = 10_000;
const SWITCHOVER_LIMIT_MS = 60_000;

export function faultOf(name: DrillFault, lastsMs: number): Fault {
  switch (name) {
    case "crash":
      return CRASH;
    case "member-death":
      return MEMBER_DEATH;
    case "freeze":
      return freezeFor(lastsMs);
    case "switchover":
      return SWITCHOVER;
    case "store-outage":
      return storeOutageFor(lastsMs);
  }
}

const CRASH: Fault = {
  noun: "the crash",
  describe: (member) => `every PostgreSQL process of ${member} is killed`,
  describeUndo: null,
  lastsMs: null,
  comesBackAfter: "fault",
  inflict: async ({ cluster, member, signal }) => {
    const { data: dataDir } = memberPaths(cluster.paths.root, member);
    await killServer({ dataDir, timeoutMs: KILL_LIMIT_MS, signal });
  },
};

const MEMBER_DEATH: Fault = {
  noun: "its agent's return",
  describe: (member) => `${member} is killed whole: PostgreSQL, agent and deadman`,
  describeUndo: (member) => `the agent of ${member} is started again`,
  lastsMs: null,
  comesBackAfter: "undoing",
  inflict: async (target, undoing) => {
    const { cluster, member, signal } = target;
    const { root } = cluster.paths;
    const { data: dataDir } = memberPaths(root, member);
    const agents = findAgentsOf(root, member).map(({ stat }) => stat.pid);
    undoing.defer(async () => {
      for (const pid of agents) send(pid, "SIGCONT");
      await bringAgentBack(target);
    });
    // While it stands still it starts no deadman in the place of the one that dies.
    for (const pid of agents) send(pid, "SIGSTOP");
    await untilStandsStill(agents);
    for (const { pid } of findDeadmen(dataDir)) send(pid, "SIGKILL");
    for (const pid of agents) send(pid, "SIGKILL");
    await killServer({ dataDir, timeoutMs: KILL_LIMIT_MS, signal });
  },
};

function freezeFor(lastsMs: number): Fault {
  return {
    noun: "the thaw",
    describe: (member) =>
      `every process of ${member} stands still for ${lastsMs / 1000} s, as on a paused machine`,
    describeUndo: (member) => `${member} goes on`,
    lastsMs,
    comesBackAfter: "undoing",
    inflict: async ({ cluster, member }, undoing) => {
      const frozen = await freezeMember(cluster, member);
      undoing.defer(() => frozen.thaw());
    },
  };
}

const SWITCHOVER: Fault = {
  noun: "the request",
  describe: (member) => `${member} hands over, as planned`,
  describeUndo: null,
  lastsMs: null,
  comesBackAfter: "fault",
  inflict: async ({ cluster, member, successor, signal }) => {
    await askAgent(cluster, {
      member: recordMember(await readRecord(cluster), member),
      path: "/switchover",
      body: { to: successor },
      operation: { signal, timeoutMs: SWITCHOVER_LIMIT_MS },
    });
  },
};

function storeOutageFor(lastsMs: number): Fault {
  return {
    noun: "the outage",
    describe: () => `nobody can write the cluster's record for ${lastsMs / 1000} s`,
    describeUndo: () => "the record can be written again",
    lastsMs,
    comesBackAfter: "undoing",
    inflict: async ({ cluster }, undoing) => {
      undoing.use(lockRecord(cluster.paths.record));
    },
  };
}

const LOCK_LIMIT_MS = 5_000;

/** SQLite gives the lock back when this process ends, however it ends. */
function lockRecord(path: string): Disposable {
  const database = new DatabaseSync(path, { timeout: LOCK_LIMIT_MS });
  try {
    database.exec("BEGIN IMMEDIATE");
  } catch (cause) {
    database.close();
    throw new UnderstudyError(
      "STORE_UNAVAILABLE",
      `cannot lock the cluster's record in ${path}: ${messageOf(cause)}`,
      { cause },
    );
  }
  return { [Symbol.dispose]: () => database.close() };
}

/** As `up` does; one that runs already is left alone. */
export async function bringAgentBack(
  of: Pick<Target, "cluster" | "member" | "program">,
): Promise<void> {
  const { cluster, member, program } = of;
  const { root } = cluster.paths;
  if (!(await isWithoutAgent(root, member))) return;
  await startAgent({ root, member, program, owner: await findOwner(cluster.file.osUser) });
}

/** A process that has ended meanwhile is no failure. */
function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (thrown) {
    if (codeOf(thrown) !== "ESRCH") throw thrown;
  }
}
