// One simulated member as its agent sees it. Keeper and memory are the real ones; server and disk
// are models.
import type { LoopMember } from "../../../src/agent/agent.ts";
import type { LeaderWatch } from "../../../src/agent/leader-watch.ts";
import type { MemberMemory } from "../../../src/agent/memory.ts";
import type { Supply } from "../../../src/agent/supply.ts";
import type { ShutOut } from "../../../src/agent/shut-out.ts";
import type { SyncKeeping } from "../../../src/agent/sync/sync-keeping.ts";
import type { Witness } from "../../../src/agent/witness.ts";
import type { Ground } from "../../../src/core/protocol/situation.ts";
import type { TurnNeighbour } from "../../../src/core/protocol/rewind-turn.ts";
import type { ClusterRecord } from "../../../src/core/record.ts";
import type { Life } from "../life.ts";
import type { Random } from "../random.ts";
import type { Disk } from "./disk.ts";
import type { ModelServer } from "./server.ts";
import type { Surroundings } from "./surroundings.ts";

export interface ModelWitnessed extends Pick<Witness, "isGone" | "hasNoServer"> {
  fence(member: string): void;
}

export interface ModelMember extends LoopMember {
  readonly memory: MemberMemory;
  readonly witness: ModelWitnessed;
  readonly leaderWatch: LeaderWatch;
  readonly sync: SyncKeeping;
  readonly shutOut: ShutOut;
  readonly supply: Supply;
  readonly life: Life;
  readonly model: ModelServer;
  readonly disk: Disk;
  readonly random: Random;
  readonly around: Surroundings;
  /** Whether its installation has pg_rewind. */
  readonly canRewind: boolean;
  /** What its effect tells of while it is at it. */
  readonly doing: { rewind: "waits" | "goes on" | null };
  /** As its status. */
  tellTurn(): TurnNeighbour;
  /** As its agent has last seen it. */
  ground(): Ground;
}

export interface ModelContext {
  readonly member: ModelMember;
  readonly record: ClusterRecord;
  readonly signal: AbortSignal;
}
