// What an agent has from elsewhere where the members of a cluster live on hosts of their own.
import type { ClusterRecord } from "../core/record.ts";
import type { ClusterFile, ClusterSecrets } from "./cluster-file.ts";
import type { SyncPolicy } from "../core/record.ts";
import type { Clock } from "./clock.ts";
import type { LedServices } from "./lead-services.ts";
import type { MemberTls } from "./member-tls.ts";
import type { Witness } from "./witness.ts";

/** What is otherwise where members live on hosts of their own. */
export interface OwnHost {
  readonly readFile: () => Promise<ClusterFile>;
  /** Of the specification that was read last. */
  readonly toldGeneration: () => number;
  /** Calls back when what `readFile` reads is another; tells why it cannot be taken up. */
  readonly watchFile: (on: {
    clock: Clock;
    onChange: () => Promise<void>;
    onTrouble: (why: string | null) => void;
  }) => Disposable;
  /** What is to be in the record of synchronous replication; null: others see to that. */
  readonly syncWish: () => SyncPolicy | null;
  readonly readSecrets: () => Promise<ClusterSecrets>;
  /** Where this member has its WAL; null: with its data. */
  readonly walRoot: string | null;
  /** Null: members reach each other without. */
  readonly tls: MemberTls | null;
  /** Of this run of the agent, as it has entered the cluster (entry.ts). */
  readonly session: string;
  /** Moves the services of the cluster; called by whoever leads. */
  readonly services: {
    readonly put: (services: LedServices) => void;
    readonly forget: () => void;
    readonly maxLagBytes: () => number | null;
  };
  readonly witness: (by: {
    record: () => ClusterRecord | null;
    onProof: () => void;
    onTrouble: (why: string) => void;
  }) => Witness;
}
