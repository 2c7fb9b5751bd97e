// One simulated member as its agent sees it. Keeper and memory are the real ones; server and disk
// are models.
import type { LoopMember } from "../../../src/agent/agent.ts";
import type { LeaderWatch } from "../../../src/agent/leader-watch.ts";
import type { MemberMemory } from "../../../src/agent/memory.ts";
import type { Witness } from "../../../src/agent/witness.ts";
import type { ClusterRecord } from "../../../src/core/record.ts";
import type { Successor } from "../checkers.ts";
import type { Life } from "../life.ts";
import type { Random } from "../random.ts";
import type { Disk } from "./disk.ts";
import type { ModelServer } from "./server.ts";
import type { DataDirectory } from "./wal.ts";

export interface ModelMember extends LoopMember {
  readonly memory: MemberMemory;
  readonly witness: Pick<Witness, "isGone">;
  readonly leaderWatch: LeaderWatch;
  readonly life: Life;
  readonly model: ModelServer;
  readonly disk: Disk;
  readonly random: Random;
  readonly around: Surroundings;
}

/** What a member can reach of others, and whom it must tell what it destroys. */
export interface Surroundings {
  /** Null while it cannot be reached from there. */
  serverOf(name: string, from: string): ModelServer | null;
  /** Null while its agent does not answer. */
  memberOf(name: string, from: string): ModelMember | null;
  reaches(one: string, other: string): boolean;
  /** What the operating system tells of a member on the same machine, whatever the network does. */
  neighbour(name: string): { readonly server: ModelServer; readonly hasAgent: boolean } | null;
  /** Calls back when that member's present agent ends. */
  onAgentEnd(name: string, callback: () => void): Disposable;
  /** It is about to take the lease, or to be given it: what it lacks is lost, and that was told. */
  named(successor: Successor): void;
  destroyed(data: DataDirectory, why: { member: string; announced: boolean }): void;
  /** A copy has begun: an end of these is demanded once faults have ended. */
  cloneBegun(member: string): void;
}

export interface ModelContext {
  readonly member: ModelMember;
  readonly record: ClusterRecord;
  readonly signal: AbortSignal;
}
