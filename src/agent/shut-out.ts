// Whether the server of a leader lets nobody in, for want of room. One that has recovered in its
// place on a full disk has to write a cache file for each database anew, and turns every login away
// that needs one; one that cannot end its recovery there begins it again and again, for ever (15
// and newer).
import { APPLICATION_DATABASE } from "../core/connection-url.ts";
import { UnderstudyError } from "../core/errors.ts";
import { connect, type ConnectOptions } from "../postgres/connect.ts";
import type { Clock } from "./clock.ts";
import { whyNoRoom } from "./disk-room.ts";

/** Room may come back by itself, as when a sort that took it all has failed. */
const PATIENCE_MS = 5_000;
/** Between two tries, whoever asks in between. */
const PAUSE_MS = 1_000;
const CONNECT_LIMIT_MS = 1_000;
/**
 * Not that there are too many (53300), nor who asks (28), nor for what (3D): that it recovers, and
 * what goes wrong inside of it. "could not write init file" is XX000 on 15, 53100 on 18 (measured).
 */
const TURNS_AWAY = /^(53100|57P03|58...|XX...)$/;
const SQLSTATE = /^[0-9A-Z]{5}$/;

/** What one try came to: nobody was heard, we came in or could have, or why not. */
type Try = { readonly kind: "unknown" | "open" } | { readonly kind: "shut"; readonly why: string };

/** The world that it looks at, apart so that the simulation can put another in its place. */
export interface ShutOutOptions {
  readonly clock: Pick<Clock, "nowMs">;
  /** A clause about its disk; null while there is room. */
  readonly whyNoRoom: () => Promise<string | null>;
  /** Logs in and leaves. @throws UnderstudyError; its `details.code` may be PostgreSQL's. */
  readonly logIn: (database: string) => Promise<void>;
}

export class ShutOut {
  readonly #options: ShutOutOptions;
  #shut: { readonly sinceMs: number; readonly why: string } | null = null;
  #askedMs = -Infinity;

  constructor(options: ShutOutOptions) {
    this.#options = options;
  }

  /**
   * Tries to come in where the disk is full. @returns for how long nobody did, in milliseconds,
   * with a clause that tells why; null while that is not so, or has not been for five seconds.
   */
  async look(): Promise<{ readonly forMs: number; readonly why: string } | null> {
    const { clock } = this.#options;
    const nowMs = clock.nowMs();
    if (nowMs - this.#askedMs >= PAUSE_MS) {
      this.#askedMs = nowMs;
      const seen = await this.#try();
      if (seen.kind === "open") this.#shut = null;
      if (seen.kind === "shut")
        this.#shut = { sinceMs: this.#shut?.sinceMs ?? nowMs, why: seen.why };
    }
    if (this.#shut === null) return null;
    const forMs = Math.round(clock.nowMs() - this.#shut.sinceMs);
    return forMs < PATIENCE_MS ? null : { forMs, why: this.#shut.why };
  }

  /** As anybody new would, to the database that is always there and to the applications'. */
  async #try(): Promise<Try> {
    const noRoom = await this.#options.whyNoRoom();
    if (noRoom === null) return { kind: "open" };
    let seen: Try = { kind: "open" };
    for (const database of ["postgres", APPLICATION_DATABASE]) {
      seen = await this.#tryLogin(database);
      if (seen.kind !== "open") break;
    }
    return seen.kind === "shut" ? { kind: "shut", why: `${noRoom}; ${seen.why}` } : seen;
  }

  async #tryLogin(database: string): Promise<Try> {
    try {
      await this.#options.logIn(database);
      return { kind: "open" };
    } catch (thrown) {
      const error = thrown instanceof UnderstudyError ? thrown : null;
      const code = error?.details["code"];
      // On a busy machine nobody may be heard in time: that neither proves it nor disproves it.
      if (error === null || typeof code !== "string" || !SQLSTATE.test(code))
        return { kind: "unknown" };
      return TURNS_AWAY.test(code) ? { kind: "shut", why: error.message } : { kind: "open" };
    }
  }
}

/** Of a real server. */
export function shutOutAt(of: { target: ConnectOptions; dataDir: string; clock: Clock }): ShutOut {
  const { target, dataDir, clock } = of;
  return new ShutOut({
    clock,
    whyNoRoom: () => whyNoRoom(dataDir),
    logIn: async (database) => {
      const client = await connect({ ...target, database, connectTimeoutMs: CONNECT_LIMIT_MS });
      await client.end().catch(() => {});
    },
  });
}
