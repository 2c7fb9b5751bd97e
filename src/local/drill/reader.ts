// The drill's reading application: asks a standby, the primary where there is none, each 5 ms, and
// moves on when no answer comes.
import { setTimeout as delay } from "node:timers/promises";
import {
  HostSearch,
  within,
  isPrimary,
  type AppConnection,
  type AppHost,
  type ConnectOptions,
} from "./app-client.ts";
import { readSomething } from "./table.ts";

const PAUSE_MS = 5;
const ANSWER_LIMIT_MS = 500;

export class DrillReader implements AsyncDisposable {
  readonly #options: ConnectOptions & { readonly hosts: readonly AppHost[] };
  readonly #search: HostSearch;
  readonly #answeredMs: number[] = [];
  readonly #stop = new AbortController();
  readonly #ended: Promise<void>;

  /** @param options.hosts in the order in which this reader prefers them */
  constructor(options: ConnectOptions & { readonly hosts: readonly AppHost[] }) {
    this.#options = options;
    this.#search = new HostSearch(options);
    this.#ended = this.#run();
  }

  /** The moments at which it was answered, on the drill's clock. */
  get answeredMs(): readonly number[] {
    return this.#answeredMs;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#ended;
    this.#search[Symbol.dispose]();
  }

  async #run(): Promise<void> {
    const { hosts } = this.#options;
    while (!this.#stop.signal.aborted) {
      // As target_session_attrs=prefer-standby: a second pass takes whoever answers.
      const connection =
        (await this.#search.find(hosts, isStandby)) ?? (await this.#search.find(hosts, isAnybody));
      if (connection !== null) await this.#read(connection);
      await delay(PAUSE_MS);
    }
  }

  async #read(connection: AppConnection): Promise<void> {
    using _open = connection;
    try {
      while (!this.#stop.signal.aborted) {
        await within(readSomething(connection), AbortSignal.timeout(ANSWER_LIMIT_MS));
        this.#answeredMs.push(performance.now());
        await delay(PAUSE_MS);
      }
    } catch {
      // Another server may answer.
    }
  }
}

async function isStandby(connection: AppConnection): Promise<boolean> {
  return !(await isPrimary(connection));
}

function isAnybody(): Promise<boolean> {
  return Promise.resolve(true);
}
