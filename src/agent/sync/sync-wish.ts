// Brings what an agent in a pod is told of synchronous replication into the record, where no
// operator does: the leader alone, and once for each wish, which the record remembers. What the
// kubelet brings late must not undo what is newer, and a file does not tell its age: one that is
// another than was brought last is taken for newer where it came in that one's place while this
// agent ran, and else when it has stayed for longer than kubelets need.
import { messageOf } from "../../core/errors.ts";
import type { ClusterRecord, SyncPolicy } from "../../core/record.ts";
import { bringSyncWish, isSamePolicy } from "../../core/sync-policy.ts";
import type { Member } from "../member.ts";

/** A kubelet brings a ConfigMap within two minutes (its period, and that of its cache). */
const SETTLED_MS = 180_000;

interface Seen {
  readonly wish: SyncPolicy;
  /** What the record had been brought by then; undefined: nothing yet. */
  readonly brought: SyncPolicy | undefined;
  readonly sinceMs: number;
  /** The wish came in the place of the one that was brought. */
  readonly isNext: boolean;
}

export class SyncWish {
  readonly #member: Pick<Member, "name" | "keeper" | "log" | "clock">;
  readonly #wish: () => SyncPolicy | null;
  #seen: Seen | null = null;
  #isBusy = false;
  /** As it was told last; null: it could be written since. */
  #trouble: string | null = null;

  /** @param options.wish null: it is not this agent's to bring there */
  constructor(options: {
    member: Pick<Member, "name" | "keeper" | "log" | "clock">;
    wish: () => SyncPolicy | null;
  }) {
    this.#member = options.member;
    this.#wish = options.wish;
  }

  /** With each look of the agent's loop. */
  look(record: ClusterRecord | null): void {
    const wish = this.#wish();
    if (wish === null || record === null) return;
    this.#seen = this.#lookAt(wish, record.sync.wished);
    const isBrought = isSame(record.sync.wished, wish);
    if (isBrought || this.#isBusy || !this.#member.keeper.holdsLease) return;
    // Nothing was brought before, and it is so: the cluster was founded with it.
    const isSo = record.sync.wished === undefined && isSame(record.sync, wish);
    const { isNext, sinceMs } = this.#seen;
    const isSettled = this.#member.clock.nowMs() - sinceMs >= SETTLED_MS;
    if (isSo || isNext || isSettled) void this.#write(wish);
  }

  #lookAt(wish: SyncPolicy, brought: SyncPolicy | undefined): Seen {
    const seen = this.#seen;
    const isOther = seen === null || !isSame(seen.wish, wish);
    if (!isOther && isSame(seen.brought, brought)) return seen;
    const isNext = isOther && seen !== null && isSame(seen.wish, brought);
    return { wish, brought, sinceMs: this.#member.clock.nowMs(), isNext };
  }

  async #write(wish: SyncPolicy): Promise<void> {
    const { keeper, name, log } = this.#member;
    this.#isBusy = true;
    try {
      await keeper.change((record) =>
        record.leader?.member === name ? bringSyncWish(record, wish) : null,
      );
      this.#trouble = null;
    } catch (thrown) {
      const message = messageOf(thrown);
      if (message !== this.#trouble) log.write({ event: "sync-wish", level: "warning", message });
      this.#trouble = message;
    } finally {
      this.#isBusy = false;
    }
  }
}

function isSame(one: SyncPolicy | undefined, other: SyncPolicy | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  return isSamePolicy(one, { other });
}
