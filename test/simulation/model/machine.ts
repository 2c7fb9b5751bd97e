// What modelled servers share: time, chance, the network, each other, and who watches them.
import type { Random } from "../random.ts";
import type { Scheduler } from "../scheduler.ts";
import type { Network } from "./network.ts";
import type { ModelServer } from "./server.ts";

export interface Machine {
  readonly scheduler: Scheduler;
  readonly random: Random;
  /** For what is drawn since: so that what the others draw stays. */
  readonly later: Random;
  readonly network: Network;
  readonly servers: ReadonlyMap<string, ModelServer>;
  nextRecordId(): number;
  /** Whether anybody asks what standbys confirm. */
  readonly standbysConfirm: boolean;
  readonly watcher: Watcher;
}

/** The checkers' eyes on the servers. */
export interface Watcher {
  started(server: ModelServer): void;
  stopRequested(server: ModelServer): void;
  /** Its own agent ends it, because it lets nobody in. */
  givenUp(server: ModelServer): void;
  promotionRequested(server: ModelServer, term: number): void;
  becameWritable(server: ModelServer, how: "promoted" | "recovered" | "started"): void;
  /** A commit is on its own disk, and not yet acknowledged. */
  flushed(id: number, server: ModelServer): void;
  acknowledged(id: number, server: ModelServer): void;
  /** An application is let in. */
  served(server: ModelServer): void;
  streamsOnOther(server: ModelServer, upstream: ModelServer): void;
}
