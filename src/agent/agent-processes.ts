// The agents that run on this machine, found by their command line: who holds a member's lock is
// not told by the lock.
import { listPids, readCommandLine, readLiveStat, type ProcessStat } from "../postgres/proc.ts";
import { realPathOf } from "../postgres/real-path.ts";

/** The word after the program's name that begins an agent. */
const AGENT_COMMAND = "agent";

export interface AgentProcess {
  readonly stat: ProcessStat;
  /** As it was told. */
  readonly clusterRoot: string;
  readonly member: string;
}

/** Of whatever user and cluster, dead ones not. Walks the process table: milliseconds. */
export function findAgents(): readonly AgentProcess[] {
  return listPids().flatMap((pid) => {
    const words = readCommandLine(pid);
    const at = words.indexOf(AGENT_COMMAND);
    const [dir, clusterRoot, name, member] = words.slice(at + 1);
    if (at === -1 || dir !== "--dir" || name !== "--member") return [];
    const stat = readLiveStat(pid);
    if (stat === null || clusterRoot === undefined || member === undefined) return [];
    return [{ stat, clusterRoot, member }];
  });
}

/** The agents of one member; more than one for as long as a second one finds that out. */
export function findAgentsOf(clusterRoot: string, member: string): readonly AgentProcess[] {
  const root = realPathOf(clusterRoot);
  return findAgents().filter(
    (agent) => agent.member === member && realPathOf(agent.clusterRoot) === root,
  );
}
