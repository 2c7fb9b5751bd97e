// The simulated store: one record, changed by compare-and-set, and each member's way to it, which
// may be slow, cut, or lose an answer to a write that was made.
import { UnderstudyError } from "../../../src/core/errors.ts";
import type { ClusterRecord } from "../../../src/core/record.ts";
import type { Store, Versioned, WriteRequest } from "../../../src/store/store.ts";
import type { Life } from "../life.ts";
import type { Random } from "../random.ts";
import type { Scheduler } from "../scheduler.ts";

/** A member whose way to the store is slow waits so long before it is told that it failed. */
const GIVE_UP_MS = 2_000;

export interface StoreFaults {
  /** Members that cannot reach it. */
  readonly cut: Set<string>;
  /** Added to each answer. */
  slowMs: number;
  /** How probable it is that an answer is lost after the request was carried out. */
  lostAnswers: number;
}

interface StoreWatcher {
  readonly member: string;
  readonly notify: () => void;
}

export class SimulatedStore {
  readonly faults: StoreFaults = { cut: new Set(), slowMs: 0, lostAnswers: 0 };
  readonly #scheduler: Scheduler;
  readonly #random: Random;
  readonly #watchers = new Set<StoreWatcher>();
  readonly #onWrite: (before: ClusterRecord, after: ClusterRecord, by: string) => void;
  #current: Versioned;
  #revision = 1;

  constructor(options: {
    record: ClusterRecord;
    scheduler: Scheduler;
    random: Random;
    onWrite: (before: ClusterRecord, after: ClusterRecord, by: string) => void;
  }) {
    this.#current = { record: options.record, revision: "1" };
    this.#scheduler = options.scheduler;
    this.#random = options.random;
    this.#onWrite = options.onWrite;
  }

  /** As it is: for the checkers and for people, who are not cut off. */
  get record(): ClusterRecord {
    return this.#current.record;
  }

  /** One process's way to it. */
  viewOf(member: string, life: Life): Store {
    const watchers = new Set<StoreWatcher>();
    return {
      read: async () => {
        await this.#travel(member, life);
        const read = this.#current;
        await this.#answer(member, life);
        return read;
      },
      write: async (request) => {
        await this.#travel(member, life);
        const written = this.#write(request, member);
        await this.#answer(member, life);
        return written;
      },
      watch: (onChange) => this.#watch({ member, life, onChange, watchers }),
      [Symbol.asyncDispose]: async () => {
        for (const watcher of watchers) this.#watchers.delete(watcher);
      },
    };
  }

  /** Faults have ended: everybody is told to look. */
  healed(): void {
    for (const { notify } of this.#watchers) notify();
  }

  #write(request: WriteRequest, by: string): Versioned | null {
    if (request.expected !== this.#current.revision) return null;
    const before = this.#current.record;
    this.#revision += 1;
    this.#current = { record: request.record, revision: String(this.#revision) };
    this.#onWrite(before, request.record, by);
    for (const { notify } of this.#watchers) notify();
    return this.#current;
  }

  async #travel(member: string, life: Life): Promise<void> {
    const { cut, slowMs } = this.faults;
    if (cut.has(member)) await this.#fail(member, life);
    await life.sleep(this.#random.between(0, 3) + this.#random.between(0, slowMs));
    if (cut.has(member)) await this.#fail(member, life);
  }

  async #answer(member: string, life: Life): Promise<void> {
    const { cut, lostAnswers } = this.faults;
    const isLost = lostAnswers > 0 && this.#random.chance(lostAnswers);
    if (cut.has(member) || isLost) await this.#fail(member, life);
    await life.sleep(this.#random.between(0, 2));
  }

  async #fail(member: string, life: Life): Promise<never> {
    await life.sleep(this.#random.between(10, GIVE_UP_MS));
    throw new UnderstudyError("STORE_UNAVAILABLE", `the store does not answer ${member}`);
  }

  /** Changes are merged, and a notification may come late. */
  #watch(of: {
    member: string;
    life: Life;
    onChange: () => void;
    watchers: Set<StoreWatcher>;
  }): Disposable {
    const { member, life, onChange, watchers } = of;
    let isPending = false;
    const watcher: StoreWatcher = {
      member,
      notify: () => {
        if (isPending || this.faults.cut.has(member) || !life.isAlive) return;
        isPending = true;
        const late = this.#random.chance(0.03) ? this.#random.between(20, 1_000) : 0;
        this.#scheduler.quietly(this.#random.between(1, 15) + late, () => {
          isPending = false;
          life.deliver(onChange);
        });
      },
    };
    this.#watchers.add(watcher);
    watchers.add(watcher);
    return { [Symbol.dispose]: () => void this.#watchers.delete(watcher) };
  }
}
