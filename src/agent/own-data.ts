// One data directory, one agent. The lock beside it keeps a member's second agent away; this keeps
// away another member's, whose path leads to the same directory by a link or a mount.
import { UnderstudyError } from "../core/errors.ts";
import { directoryId } from "../postgres/proc.ts";
import { findAgents, type AgentProcess } from "./agent-processes.ts";
import { memberPaths, type MemberPaths } from "./member-paths.ts";

/**
 * Two agents on one directory would stop and rewind each other's server. Of two that begin at once
 * the earlier one stays.
 * @throws UnderstudyError MEMBER_IN_USE, before anything was touched.
 */
export function requireOwnData(of: { member: string; paths: MemberPaths }): void {
  const { member, paths } = of;
  const data = directoryId(paths.data);
  const lock = directoryId(paths.agentLock);
  if (data === null) return;
  const agents = findAgents();
  const own = agents.find(({ stat }) => stat.pid === process.pid);
  const other = agents.find((agent) => {
    if (agent === own || (own !== undefined && !isEarlier(agent, own))) return false;
    const theirs = memberPaths(agent.clusterRoot, agent.member);
    // With the same lock it is the same member, and the lock decides.
    return idOf(theirs.data) === data && idOf(theirs.agentLock) !== lock;
  });
  if (other === undefined) return;
  throw new UnderstudyError(
    "MEMBER_IN_USE",
    `the data directory of ${member} is that of ${other.member} too, which another agent runs (process ${other.stat.pid}): ${paths.data}; nothing was changed`,
    { hint: "Give each member a data directory of its own." },
  );
}

/** What another user's agent has may not be looked at, and is not this one's. */
function idOf(path: string): string | null {
  try {
    return directoryId(path);
  } catch {
    return null;
  }
}

function isEarlier({ stat: one }: AgentProcess, { stat: other }: AgentProcess): boolean {
  return one.startTicks === other.startTicks
    ? one.pid < other.pid
    : one.startTicks < other.startTicks;
}
