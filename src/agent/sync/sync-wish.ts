// Brings what an agent in a pod is told of synchronous replication into the record, where no
// operator does: the leader alone, and once for each wish, so that a file which the kubelet brings
// late does not undo what is newer.
import { messageOf } from "../../core/errors.ts";
import type { ClusterRecord, SyncPolicy } from "../../core/record.ts";
import { isSamePolicy, setSyncPolicy } from "../../core/sync-policy.ts";
import type { Member } from "../member.ts";

export class SyncWish {
  readonly #member: Pick<Member, "name" | "keeper" | "log">;
  readonly #wish: () => SyncPolicy | null;
  /** The one that the record has had, or was given. */
  #done: SyncPolicy | null = null;
  #isBusy = false;

  /** @param options.wish null: it is not this agent's to bring there */
  constructor(options: {
    member: Pick<Member, "name" | "keeper" | "log">;
    wish: () => SyncPolicy | null;
  }) {
    this.#member = options.member;
    this.#wish = options.wish;
  }

  /** With each look of the agent's loop. */
  look(record: ClusterRecord | null): void {
    const wish = this.#wish();
    if (wish === null || record === null || this.#isBusy) return;
    if (this.#done !== null && isSamePolicy(this.#done, { other: wish })) return;
    if (isSamePolicy(record.sync, { other: wish })) {
      this.#done = wish;
      return;
    }
    if (this.#member.keeper.holdsLease) void this.#write(wish);
  }

  async #write(wish: SyncPolicy): Promise<void> {
    const { keeper, name, log } = this.#member;
    this.#isBusy = true;
    try {
      await keeper.change((record) =>
        record.leader?.member === name ? setSyncPolicy(record, wish) : null,
      );
    } catch (thrown) {
      log.write({ event: "sync-wish", level: "warning", message: messageOf(thrown) });
    } finally {
      this.#isBusy = false;
    }
  }
}
