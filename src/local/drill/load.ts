// The drill's clients, all at once: one application that writes, one holdout for each member, and
// as many readers as there are standbys.
import { setTimeout as delay } from "node:timers/promises";
import { UnderstudyError } from "../../core/errors.ts";
import type { RecordMember } from "../../core/record.ts";
import type { Secret } from "../../core/secret.ts";
import type { AppHost } from "./app-client.ts";
import { Holdout } from "./holdout.ts";
import { Ledger } from "./ledger.ts";
import { DrillReader } from "./reader.ts";
import { DrillWriter } from "./writer.ts";

/** Of a client; a server that does not answer within it is passed over. */
const CONNECT_LIMIT_MS = 1_000;
const POLL_MS = 5;
/** So many rows and answers show that all of them are at work. */
const WARM_UP = { rows: 100, reads: 20, limitMs: 30_000 };

export interface LoadOptions {
  readonly members: Readonly<Record<string, RecordMember>>;
  /** Whom a reader begins with: standbys first. */
  readonly primary: string;
  readonly password: Secret;
  /**
   * The first number that a writer of this load may have; they take as many as there are members,
   * and one more.
   */
  readonly firstWriter: number;
}

export class Load implements AsyncDisposable {
  readonly ledger = new Ledger();
  readonly readers: readonly DrillReader[];
  readonly #clients: readonly AsyncDisposable[];
  readonly #application: number;

  constructor(options: LoadOptions) {
    const { password, firstWriter, primary } = options;
    const hosts = hostsOf(options.members);
    const login = { password, limitMs: CONNECT_LIMIT_MS };
    const { ledger } = this;
    this.#application = firstWriter;
    const standbys = hosts.filter(({ member }) => member !== primary);
    this.readers = standbys.map(
      (_, at) => new DrillReader({ ...login, hosts: rotated(standbys, at).concat(hosts) }),
    );
    this.#clients = [
      new DrillWriter({ ...login, hosts, ledger, writer: firstWriter }),
      ...hosts.map((host, at) => {
        return new Holdout({ ...login, host, ledger, writer: firstWriter + 1 + at });
      }),
      ...this.readers,
    ];
  }

  /**
   * The moments at which the application was answered, which alone says whether writes stand still.
   */
  get writtenMs(): readonly number[] {
    return this.ledger.acknowledged
      .filter(({ writer }) => writer === this.#application)
      .map(({ atMs }) => atMs);
  }

  /**
   * @throws UnderstudyError TIMED_OUT when the clients find nobody to work with; the signal's
   * reason.
   */
  async warmUp(signal: AbortSignal): Promise<void> {
    const deadline = performance.now() + WARM_UP.limitMs;
    const isWarm = () =>
      this.writtenMs.length >= WARM_UP.rows &&
      this.readers.every(({ answeredMs }) => answeredMs.length >= WARM_UP.reads);
    while (!isWarm()) {
      if (performance.now() > deadline)
        throw new UnderstudyError(
          "TIMED_OUT",
          `the drill's clients did not get to work within ${WARM_UP.limitMs / 1000} s: ${this.writtenMs.length} rows were written`,
        );
      await delay(POLL_MS, undefined, { signal });
    }
  }

  /** Waits for so many more rows of the application. @returns false when the limit has come. */
  async hasWritten(more: number, limit: AbortSignal): Promise<boolean> {
    const wanted = this.writtenMs.length + more;
    while (!limit.aborted) {
      if (this.writtenMs.length >= wanted) return true;
      await delay(POLL_MS);
    }
    return false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#clients.map((client) => client[Symbol.asyncDispose]()));
  }
}

export function hostsOf(members: LoadOptions["members"]): AppHost[] {
  return Object.entries(members).map(([member, { host, port }]) => ({ member, host, port }));
}

function rotated<T>(list: readonly T[], by: number): T[] {
  return [...list.slice(by), ...list.slice(0, by)];
}
