// A connection as an application makes it: as role app, with the server's own settings, so that a
// commit waits for synchronous standbys where it has to. Can be let go at once, whatever it waits
// for.
import { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { Client } from "pg";
import { APPLICATION_DATABASE, APPLICATION_ROLE } from "../../core/connection-url.ts";
import type { Secret } from "../../core/secret.ts";

/** A member as applications reach it. */
export interface AppHost {
  readonly member: string;
  readonly host: string;
  readonly port: number;
}

export interface AppConnection extends Disposable {
  readonly member: string;
  readonly client: Client;
}

export interface ConnectOptions {
  readonly password: Secret;
  readonly limitMs: number;
}

/** A host that does not answer keeps nobody waiting: after this the next one is tried beside it. */
const HEAD_START_MS = 50;
const PAUSE_MS = 2;

/** @throws whatever the server or the network says, after `limitMs` at the latest. */
export async function connectTo(host: AppHost, options: ConnectOptions): Promise<AppConnection> {
  const socket = new Socket();
  const client = new Client({
    host: host.host,
    port: host.port,
    user: APPLICATION_ROLE,
    database: APPLICATION_DATABASE,
    password: options.password.reveal(),
    application_name: "understudy drill",
    connectionTimeoutMillis: options.limitMs,
    ssl: false,
    stream: () => socket,
  });
  client.on("error", () => {});
  const connection = {
    member: host.member,
    client,
    [Symbol.dispose]: () => void socket.destroy(),
  };
  try {
    await client.connect();
    return connection;
  } catch (thrown) {
    connection[Symbol.dispose]();
    throw thrown;
  }
}

/**
 * Whether a connection is what is wished for; a constant, so that one late answer serves the next.
 */
export type Suits = (connection: AppConnection) => Promise<boolean>;

/**
 * Looks for a member that is what is wished for, as libpq does: one after the other. But none holds
 * up the next for long, and one that hangs is asked by nobody else meanwhile. What answers when the
 * search is over is kept for the next one: on a machine under load nobody might ever answer in
 * time.
 */
export class HostSearch implements Disposable {
  readonly #options: ConnectOptions;
  readonly #underWay = new Set<string>();
  /**
   * What does not suit yet is asked again: logging in anew each time would be a load of its own.
   */
  readonly #kept = new Map<string, AppConnection>();
  /** What was looked for since anything was found. */
  readonly #wanted = new Set<Suits>();
  #late: { readonly suits: Suits; readonly connection: AppConnection } | null = null;

  constructor(options: ConnectOptions) {
    this.#options = options;
  }

  /** The first that suits, tried once each; null when none does. */
  async find(hosts: readonly AppHost[], suits: Suits): Promise<AppConnection | null> {
    const late = this.#take(suits);
    if (late !== null) return late;
    this.#wanted.add(suits);
    for (const host of hosts) {
      if (this.#underWay.has(host.member)) continue;
      const attempt = this.#try(host, suits).then((connection) => {
        if (connection !== null) this.#keep({ suits, connection });
      });
      await Promise.race([attempt, delay(HEAD_START_MS)]);
      const found = this.#take(suits);
      if (found !== null) return found;
    }
    // All are under way already: who looks again and again must let their answers in.
    await delay(PAUSE_MS);
    return this.#take(suits);
  }

  [Symbol.dispose](): void {
    this.#wanted.clear();
    this.#late?.connection[Symbol.dispose]();
    this.#late = null;
    this.#letGo();
  }

  #letGo(): void {
    for (const connection of this.#kept.values()) connection[Symbol.dispose]();
    this.#kept.clear();
  }

  /** Two may come at one moment, and one when nobody looks any more. */
  #keep(late: { suits: Suits; connection: AppConnection }): void {
    if (this.#late === null && this.#wanted.has(late.suits)) this.#late = late;
    else late.connection[Symbol.dispose]();
  }

  #take(suits: Suits): AppConnection | null {
    if (this.#late?.suits !== suits) return null;
    const { connection } = this.#late;
    this.#late = null;
    this.#wanted.clear();
    this.#letGo();
    return connection;
  }

  async #try(host: AppHost, suits: Suits): Promise<AppConnection | null> {
    this.#underWay.add(host.member);
    let connection = this.#kept.get(host.member) ?? null;
    this.#kept.delete(host.member);
    try {
      connection ??= await connectTo(host, this.#options);
      const limit = AbortSignal.timeout(this.#options.limitMs);
      if (await within(suits(connection), limit)) return connection;
      if (this.#wanted.has(suits)) this.#kept.set(host.member, connection);
      else connection[Symbol.dispose]();
    } catch {
      // It refuses, or does not answer: another one may.
      connection?.[Symbol.dispose]();
    } finally {
      this.#underWay.delete(host.member);
    }
    return null;
  }
}

export async function isPrimary({ client }: AppConnection): Promise<boolean> {
  const { rows } = await client.query<{ recovers: boolean }>(
    "SELECT pg_is_in_recovery() AS recovers",
  );
  return rows[0]?.recovers === false;
}

/** The promise's outcome, or the signal's reason as soon as that comes; the promise goes on. */
export function within<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  promise.catch(() => {});
  return new Promise<T>((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    promise
      .then(resolve, reject)
      .finally(() => signal.removeEventListener("abort", onAbort))
      .catch(() => {});
  });
}
