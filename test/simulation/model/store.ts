// The simulated store: one record, changed by compare-and-set, and each member's way to it over the
// network: a request may come late, after whoever asked has given up, and be carried out then.
import { UnderstudyError } from "../../../src/core/errors.ts";
import type { ClusterRecord } from "../../../src/core/record.ts";
import type { Store, Versioned, WriteRequest } from "../../../src/store/store.ts";
import type { Life } from "../life.ts";
import type { Random } from "../random.ts";
import type { Scheduler } from "../scheduler.ts";
import { STORE, type Network } from "./network.ts";

/** Who asks gives up after this. */
const ANSWER_LIMIT_MS = 2_000;
/** Changes may be told late, and not at all: every store is looked at from time to time as well. */
const POLL_MS = 1_000;

export interface StoreOptions {
  readonly record: ClusterRecord;
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly network: Network;
  readonly watcher: StoreWatcher;
}

/** The checkers' eyes on the record. */
export interface StoreWatcher {
  recordWritten(before: ClusterRecord, after: ClusterRecord, by: string): void;
  /** A member has been told of this term. */
  termTold(member: string, term: number): void;
}

export class SimulatedStore {
  readonly #options: StoreOptions;
  readonly #watchers = new Set<() => void>();
  #current: Versioned;
  #revision = 1;

  constructor(options: StoreOptions) {
    this.#current = { record: options.record, revision: "1" };
    this.#options = options;
  }

  /** As it is: for the checkers and for people, who are not cut off. */
  get record(): ClusterRecord {
    return this.#current.record;
  }

  /** One process's way to it. */
  viewOf(member: string, life: Life): Store {
    const watches = new Set<Disposable>();
    const ask = <T>(carryOut: () => T): Promise<T> =>
      this.#options.network.ask<T>({
        from: member,
        life,
        to: STORE,
        limitMs: ANSWER_LIMIT_MS,
        ask: (reply) => reply({ value: carryOut() }),
        silence: () =>
          new UnderstudyError("STORE_UNAVAILABLE", `the store does not answer ${member}`),
      });
    const told = (read: Versioned): Versioned => {
      this.#options.watcher.termTold(member, read.record.term);
      return read;
    };
    return {
      read: () => ask(() => this.#current).then(told),
      write: (request) => ask(() => this.#write(request, member)),
      watch: (onChange) => {
        const watch = this.#watch({ member, life, onChange });
        watches.add(watch);
        return watch;
      },
      [Symbol.asyncDispose]: async () => {
        for (const watch of watches) watch[Symbol.dispose]();
      },
    };
  }

  #write(request: WriteRequest, by: string): Versioned | null {
    if (request.expected !== this.#current.revision) return null;
    const before = this.#current.record;
    this.#revision += 1;
    this.#current = { record: request.record, revision: String(this.#revision) };
    this.#options.watcher.recordWritten(before, request.record, by);
    for (const notify of this.#watchers) notify();
    return this.#current;
  }

  /** Changes are merged, and one that was missed is found at the next look. */
  #watch(of: { member: string; life: Life; onChange: () => void }): Disposable {
    const { member, life, onChange } = of;
    const { network, scheduler, random } = this.#options;
    let seen = this.#revision;
    let isPending = false;
    let isOver = false;
    const tell = (): void => {
      isPending = false;
      if (isOver || seen === this.#revision) return;
      network.send({
        from: STORE,
        to: member,
        deliver: () =>
          life.deliver(() => {
            if (isOver || seen === this.#revision) return;
            seen = this.#revision;
            onChange();
          }),
      });
    };
    const notify = (): void => {
      if (isPending || !life.isAlive) return;
      isPending = true;
      scheduler.quietly(random.between(1, 12), tell);
    };
    const look = (): void => {
      if (isOver) return;
      if (seen !== this.#revision) notify();
      life.setTimer(POLL_MS, look);
    };
    look();
    this.#watchers.add(notify);
    return {
      [Symbol.dispose]: () => {
        isOver = true;
        this.#watchers.delete(notify);
      },
    };
  }
}
