// What an agent can know of another member that does not answer: on one machine the operating
// system proves who is dead, and lets what is left of it be ended (docs/decisions/0005).
import { isStopped, type ProcessStat } from "../postgres/proc.ts";
import { killServer, surveyServer } from "../postgres/processes.ts";
import { isLocked } from "../store/process-lock.ts";
import { findAgentsOf } from "./agent-processes.ts";
import { memberPaths, type MemberPaths } from "./member-paths.ts";

export interface Witness {
  /**
   * Whether who frees the lease of another has proven for everybody that its server takes no
   * writes: where a deadman ends it before its lease has run out.
   */
  readonly freedIsGone?: boolean;
  /**
   * Whether a member is proven unable to take writes, now and until its agent has read the record
   * again.
   */
  isGone(member: string, of: { leaseHasRunOut: boolean }): boolean;
  /** Whether no process of its server lives: whatever its agent does, it takes no writes now. */
  hasNoServer(member: string): boolean;
  /**
   * Ends whatever is left of a member without an agent, or with one that stands still like its
   * server. @throws UnderstudyError STOP_FAILED.
   */
  fence(member: string, signal: AbortSignal): Promise<void>;
  /** False: `diskOf` is null of whomever, always. */
  readonly reachesDisks?: boolean;
  /** The files of another member, where they can be reached. */
  diskOf(member: string): MemberPaths | null;
}

const FENCE_LIMIT_MS = 10_000;

export class LocalWitness implements Witness {
  readonly #clusterRoot: string;

  constructor(clusterRoot: string) {
    this.#clusterRoot = clusterRoot;
  }

  /**
   * A server without its agent goes on for as long as the lease lasts: an agent that comes back in
   * time adopts it. Backends without their postmaster, and a server beside an agent that hangs, do
   * not get that time. One that stands still together with its agent is gone once the lease has run
   * out: its deadman, which would have ended it then, stands still as well, or is dead.
   */
  isGone(member: string, { leaseHasRunOut }: { leaseHasRunOut: boolean }): boolean {
    const { postmaster, processes, hidden } = surveyServer(this.diskOf(member).data);
    if (hidden.length > 0) return false;
    const hasAgent = agentRuns(this.#clusterRoot, member);
    if (processes.length === 0) return !hasAgent || leaseHasRunOut;
    if (hasAgent) return leaseHasRunOut && this.#standsStill(member, processes);
    return postmaster === null || leaseHasRunOut;
  }

  /**
   * Every process of it was stopped by a signal. That may end at any moment, so it is good only for
   * ending the server: whoever goes on then finds nothing that takes writes.
   */
  #standsStill(member: string, server: readonly ProcessStat[]): boolean {
    if (!server.every(isStopped)) return false;
    const agents = findAgentsOf(this.#clusterRoot, member);
    return agents.length > 0 && agents.every(({ stat }) => isStopped(stat));
  }

  hasNoServer(member: string): boolean {
    const { processes, hidden } = surveyServer(this.diskOf(member).data);
    return processes.length === 0 && hidden.length === 0;
  }

  async fence(member: string, signal: AbortSignal): Promise<void> {
    const { data: dataDir } = this.diskOf(member);
    const isAlive = agentRuns(this.#clusterRoot, member);
    if (isAlive && !this.#standsStill(member, surveyServer(dataDir).processes)) return;
    await killServer({ dataDir, timeoutMs: FENCE_LIMIT_MS, signal });
  }

  diskOf(member: string): MemberPaths {
    return memberPaths(this.#clusterRoot, member);
  }
}

/**
 * Whether an agent runs this member, answering or not: it holds the lock for as long as it lives.
 */
export function agentRuns(clusterRoot: string, member: string): boolean {
  // A member whose disk is gone has nothing that anybody could hold.
  return isLocked(memberPaths(clusterRoot, member).agentLock);
}
