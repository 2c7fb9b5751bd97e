// Faults beyond those of `understudy drill`, for the fault table and the soak: each leaves a
// cluster that must come back by itself.
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { findAgentsOf } from "../../src/agent/agent-processes.ts";
import { findDeadmen } from "../../src/agent/deadman/deadmen.ts";
import { memberPaths } from "../../src/agent/member-paths.ts";
import { bringAgentBack, type Fault, type Target } from "../../src/local/drill/fault.ts";
import { findPostmaster, killServer, untilStandsStill } from "../../src/postgres/processes.ts";
import { signal as send } from "../../test/support/cluster-processes.ts";

const KILL_LIMIT_MS = 10_000;

type Shape = Pick<Fault, "describe" | "inflict"> & Partial<Fault>;

/** What most of them are: over at once, with nothing to undo. */
function fault(shape: Shape): Fault {
  return {
    noun: "the fault",
    lastsMs: null,
    comesBackAfter: "fault",
    describeUndo: null,
    ...shape,
  };
}

/** Its backends live on for a moment, and may commit. */
export const POSTMASTER_KILLED = fault({
  describe: (member) => `only the postmaster of ${member} is killed`,
  inflict: async (target) => {
    const postmaster = findPostmaster(dataOf(target));
    if (postmaster !== null) send(postmaster.pid, "SIGKILL");
  },
});

export const POSTMASTER_HUNG = fault({
  describe: (member) => `the postmaster of ${member} is stopped by a signal`,
  inflict: async (target, undoing) => {
    const postmaster = findPostmaster(dataOf(target));
    if (postmaster === null) return;
    undoing.defer(async () => send(postmaster.pid, "SIGCONT"));
    send(postmaster.pid, "SIGSTOP");
  },
});

/** Its deadman ends the server when the lease is over. */
export const AGENT_HUNG = fault({
  noun: "its going on",
  describe: (member) => `the agent of ${member} is stopped by a signal`,
  describeUndo: (member) => `the agent of ${member} goes on`,
  comesBackAfter: "undoing",
  inflict: async (target, undoing) => hangAgents(target, undoing),
});

/** Its deadman starts it again, and nothing is interrupted. */
export function agentKilled(lastsMs: number): Fault {
  return fault({
    describe: (member) => `the agent of ${member} is killed`,
    lastsMs,
    inflict: async ({ cluster, member }) => {
      for (const { stat } of findAgentsOf(cluster.paths.root, member)) send(stat.pid, "SIGKILL");
    },
  });
}

/** The server goes on without anybody beside it, for so long. */
export function agentAndDeadmanKilled(lastsMs: number): Fault {
  return fault({
    noun: "its agent's return",
    describe: (member) => `agent and deadman of ${member} are killed, its PostgreSQL goes on`,
    describeUndo: (member) => `the agent of ${member} is started again`,
    lastsMs,
    comesBackAfter: "undoing",
    inflict: async (target, undoing) => {
      undoing.defer(() => bringAgentBack(target));
      await killWatch(target);
    },
  });
}

/** Everything of it is deleted under it, as by a mistaken rm -rf. */
export const DATA_GONE = fault({
  describe: (member) => `the data directory of ${member} is deleted`,
  inflict: async (target) => {
    const data = dataOf(target);
    const gone = join(target.cluster.paths.root, `gone-${target.member}`);
    await rename(data, gone);
    await rm(gone, { recursive: true, force: true, maxRetries: 10 });
  },
});

/** The next primary dies as soon as it leads. */
export const CRASH_TWICE = fault({
  describe: (member) => `${member} crashes, and a moment later whoever takes over does`,
  inflict: async (target) => {
    const { cluster, member, successor, signal } = target;
    for (const each of [member, successor])
      await killServer({
        dataDir: memberPaths(cluster.paths.root, each).data,
        timeoutMs: KILL_LIMIT_MS,
        signal,
      });
  },
});

/** As a power failure does; then everything is started again, in some order. */
export function everythingKilled(order: readonly string[]): Fault {
  return fault({
    noun: "the start",
    describe: () => `every process of the cluster is killed, then ${order.join(", ")} are started`,
    describeUndo: () => "the agents are started again",
    lastsMs: 0,
    comesBackAfter: "undoing",
    inflict: async (target, undoing) => {
      undoing.defer(async () => {
        for (const member of order) await bringAgentBack({ ...target, member });
      });
      for (const member of order) await killWatch({ ...target, member });
      for (const member of order)
        await killServer({
          dataDir: dataOf({ ...target, member }),
          timeoutMs: KILL_LIMIT_MS,
          signal: target.signal,
        });
    },
  });
}

/** Agent first stopped, so that it starts no deadman in the place of the one that dies. */
async function killWatch(target: Target): Promise<void> {
  const agents = findAgentsOf(target.cluster.paths.root, target.member);
  for (const { stat } of agents) send(stat.pid, "SIGSTOP");
  await untilStandsStill(agents.map(({ stat }) => stat.pid));
  for (const { pid } of findDeadmen(dataOf(target))) send(pid, "SIGKILL");
  for (const { stat } of agents) send(stat.pid, "SIGKILL");
}

function hangAgents(target: Target, undoing: AsyncDisposableStack): void {
  for (const { stat } of findAgentsOf(target.cluster.paths.root, target.member)) {
    undoing.defer(async () => send(stat.pid, "SIGCONT"));
    send(stat.pid, "SIGSTOP");
  }
}

/** For so long only: shorter than a lease, nothing comes of it. */
export function agentHungFor(lastsMs: number): Fault {
  return { ...AGENT_HUNG, lastsMs };
}

function dataOf({ cluster, member }: Pick<Target, "cluster" | "member">): string {
  return memberPaths(cluster.paths.root, member).data;
}
