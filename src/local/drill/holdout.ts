// A client that never lets go of one member: whatever the others do, it writes there as soon as,
// and for as long as, that member takes writes. Two primaries at once are seen by this and by
// nothing else: an application that moves on never asks the old one again.
import { setTimeout as delay } from "node:timers/promises";
import { connectTo, isPrimary, type AppConnection, type ConnectOptions } from "./app-client.ts";
import type { AppHost } from "./app-client.ts";
import type { Ledger } from "./ledger.ts";
import { insertRow } from "./table.ts";

/** Seldom enough not to be a load of its own. */
const PAUSE_MS = 20;

export class Holdout implements AsyncDisposable {
  readonly #options: ConnectOptions & { host: AppHost; ledger: Ledger; writer: number };
  readonly #stop = new AbortController();
  readonly #ended: Promise<void>;
  #connection: AppConnection | null = null;

  constructor(options: ConnectOptions & { host: AppHost; ledger: Ledger; writer: number }) {
    this.#options = options;
    this.#ended = this.#run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    // It may wait for an answer of a server that hangs.
    this.#connection?.[Symbol.dispose]();
    await this.#ended;
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        using connection = await connectTo(this.#options.host, this.#options);
        this.#connection = connection;
        await this.#hold(connection);
      } catch {
        // It is away: it may come back.
      }
      this.#connection = null;
      await delay(PAUSE_MS);
    }
  }

  /** No limit: whoever has no time-out waits for as long as the connection lasts. */
  async #hold(connection: AppConnection): Promise<void> {
    const { ledger, writer } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted && !(await isPrimary(connection))) await delay(PAUSE_MS);
    while (!signal.aborted) {
      ledger.acknowledge(await insertRow(connection, { writer, n: ledger.nextNumber(writer) }));
      await delay(PAUSE_MS);
    }
  }
}
