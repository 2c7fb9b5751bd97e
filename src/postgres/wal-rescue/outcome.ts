// What a rescue is asked for, and how it may end.
import type { Lsn } from "../../core/lsn.ts";

export interface RescueRequest {
  /** Of the dead server. Nobody may start it before the rescue has ended. */
  readonly deadDataDir: string;
  /** Of the standby, which runs and waits. */
  readonly standbyDataDir: string;
  /** The one that the standby's restore_command names. */
  readonly spoolDir: string;
  /** What the standby has: the greater of what it has received and replayed. */
  readonly position: Lsn;
  /**
   * Done before the standby is shown WAL of a timeline that it is not on: it is to stream from
   * nobody then. Whoever it was told to may come back on another of that number.
   */
  readonly leaveUpstream: () => Promise<void>;
  /**
   * Where the dead server's directory is another machine's, and only what was fetched of it is here
   * (fetched-wal.ts): where its WAL ends. Nobody lives in it, and that both have the same WAL
   * before that was seen.
   */
  readonly fetched?: WalPlace | undefined;
  readonly signal: AbortSignal;
}

export interface WalPlace {
  readonly endLsn: Lsn;
  readonly timeline: number;
}

export type RefusalReason =
  /** A process of the dead server lives: it may still commit. */
  | "alive"
  /** One of the two data directories is half made. */
  | "half-made"
  | "other-system"
  /** The standby is not in the history of the dead server's timeline, or beyond its fork. */
  | "timelines"
  /** Up to the standby's position the two do not hold the same WAL, or that cannot be seen. */
  | "different-wal"
  /** A file that the standby needs is not there, or not whole. */
  | "missing";

export interface Refusal {
  readonly kind: "refused";
  readonly reason: RefusalReason;
  /** A clause for events and errors. */
  readonly message: string;
}

export type RescueOutcome =
  | {
      readonly kind: "filled";
      /** Where the standby's replay must have come to before it may be promoted. */
      readonly endLsn: Lsn;
      readonly timeline: number;
      /** In the order in which they appeared. */
      readonly files: readonly string[];
      readonly bytes: number;
    }
  /** The standby has everything; it may have to replay it yet, up to `endLsn`. */
  | { readonly kind: "nothing-missing"; readonly endLsn: Lsn; readonly timeline: number }
  | Refusal;

export function refused(reason: RefusalReason, message: string): Refusal {
  return { kind: "refused", reason, message };
}
