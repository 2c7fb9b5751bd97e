// The drill's application: writes one numbered row each 5 ms to whoever is the primary, and comes
// back by itself. A row whose answer does not come is not tried again; should its answer come late,
// it counts.
import { setTimeout as delay } from "node:timers/promises";
import {
  HostSearch,
  isPrimary,
  within,
  type AppConnection,
  type AppHost,
  type ConnectOptions,
} from "./app-client.ts";
import type { Ledger } from "./ledger.ts";
import { insertRow } from "./table.ts";

const PAUSE_MS = 5;
/** After this an application looks for another server, and leaves the old connection hanging. */
const ANSWER_LIMIT_MS = 500;

export interface WriterOptions extends ConnectOptions {
  readonly hosts: readonly AppHost[];
  readonly ledger: Ledger;
  /** Of its rows. */
  readonly writer: number;
}

export class DrillWriter implements AsyncDisposable {
  readonly #options: WriterOptions;
  readonly #search: HostSearch;
  readonly #stop = new AbortController();
  readonly #hanging = new Set<AppConnection>();
  readonly #ended: Promise<void>;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#search = new HostSearch(options);
    this.#ended = this.#run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#ended;
    this.#search[Symbol.dispose]();
    for (const connection of this.#hanging) connection[Symbol.dispose]();
  }

  async #run(): Promise<void> {
    let hosts = this.#options.hosts;
    while (!this.#stop.signal.aborted) {
      const connection = await this.#search.find(hosts, isPrimary);
      if (connection !== null) await this.#write(connection);
      await delay(PAUSE_MS);
      // As a driver that tries its servers in turn: whoever was left is asked last.
      if (connection !== null) hosts = lastOf(hosts, connection.member);
    }
  }

  /** Until it fails, or does not answer in time. */
  async #write(connection: AppConnection): Promise<void> {
    const { ledger, writer } = this.#options;
    while (!this.#stop.signal.aborted) {
      const answer = insertRow(connection, { writer, n: ledger.nextNumber(writer) });
      this.#hanging.add(connection);
      const noted = answer.then((row) => ledger.acknowledge(row));
      // It stays open, for an answer that comes after all.
      noted.then(
        () => this.#hanging.delete(connection),
        () => {
          this.#hanging.delete(connection);
          connection[Symbol.dispose]();
        },
      );
      try {
        await within(noted, AbortSignal.timeout(ANSWER_LIMIT_MS));
      } catch {
        ledger.countFailure();
        return;
      }
      await delay(PAUSE_MS);
    }
    connection[Symbol.dispose]();
  }
}

function lastOf(hosts: readonly AppHost[], member: string): readonly AppHost[] {
  return [
    ...hosts.filter((host) => host.member !== member),
    ...hosts.filter((host) => host.member === member),
  ];
}
