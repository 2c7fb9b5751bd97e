// What one agent knows of its server's synchronous replication and cannot read anywhere: a new
// agent begins with nothing and proves it anew.
import type { Lsn } from "../../core/lsn.ts";
import type { Quorum } from "../../core/protocol/quorum.ts";
import { StandbyTally } from "./standby-tally.ts";

export class SyncKeeping {
  readonly standbys = new StandbyTally();
  /**
   * Whether the server is certain to run with what the files have: after the barrier, until the
   * next promotion.
   */
  isSettled = false;
  /** See ServiceView. */
  binds = false;
  /** Whether applications may connect; a server that was never asked to keep them out lets them. */
  isOpen = true;
  /** Where confirmations are looked for from, and for which step that was set. */
  mark: { readonly key: string; readonly lsn: Lsn } | null = null;
  /** Whose confirmation is waited for; null: nobody's. */
  awaits: Quorum | null = null;
  /** Why this standby does not take the free lease, for people; null where nothing is in doubt. */
  doubt: string | null = null;
  /** The one that people were last told of. */
  toldDoubt: string | null = null;
  #timeline: number | null = null;

  /**
   * After the barrier: what was flushed before may have been acknowledged by the former setting.
   */
  settled(): void {
    this.isSettled = true;
    this.mark = null;
  }

  /** Commits are proven to wait from now on: what was flushed before may have been acknowledged. */
  bound(): void {
    this.binds = true;
    this.mark = null;
  }

  /** Each promotion begins anew. */
  begin(on: { term: number; timeline: number | null }): void {
    this.standbys.begin(on.term);
    if (this.#timeline === on.timeline) return;
    this.#timeline = on.timeline;
    this.isSettled = false;
    this.binds = false;
    this.mark = null;
    this.awaits = null;
  }
}
