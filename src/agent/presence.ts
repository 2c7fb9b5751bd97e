// A connection to another member's agent that is held open for nothing but its end: whatever ends
// that agent ends the connection too, and whoever waits for it knows at once instead of at the next
// renewal that does not come.
import type { ClientRequest } from "node:http";
import type { Secret } from "../core/secret.ts";
import type { Clock } from "./clock.ts";
import { requestTo, type AgentAddress, type Trust } from "./peer.ts";

export interface Presence extends Disposable {
  /** Watches this member from now on, and nobody else. */
  follow(member: { readonly name: string; readonly address: AgentAddress } | null): void;
  /** Whether it was ever met since it is watched. */
  readonly wasMet: boolean;
  /** Since when it does not answer, on the agent's clock; null while it does, or is being asked. */
  readonly lostSinceMs: number | null;
}

export interface PresenceOptions {
  readonly clock: Clock;
  readonly token: Secret;
  readonly trust: (member: string) => Trust | null;
  readonly onLost: () => void;
}

/** An agent that does not listen is not asked more often. */
const TRY_AGAIN_MS = 100;

export class AgentPresence implements Presence {
  readonly #options: PresenceOptions;
  #member: string | null = null;
  #call: ClientRequest | null = null;
  #wasMet = false;
  #lostSinceMs: number | null = null;
  #triedMs = -Infinity;

  constructor(options: PresenceOptions) {
    this.#options = options;
  }

  get wasMet(): boolean {
    return this.#wasMet;
  }

  get lostSinceMs(): number | null {
    return this.#lostSinceMs;
  }

  follow(member: { name: string; address: AgentAddress } | null): void {
    const key = member === null ? null : keyOf(member);
    if (key !== this.#member) {
      this[Symbol.dispose]();
      this.#member = key;
      this.#wasMet = false;
      this.#lostSinceMs = null;
      this.#triedMs = -Infinity;
    }
    if (member === null || this.#call !== null) return;
    const { nowMs } = this.#options.clock;
    if (nowMs() - this.#triedMs < TRY_AGAIN_MS) return;
    this.#triedMs = nowMs();
    this.#call = this.#connect(member);
  }

  [Symbol.dispose](): void {
    const call = this.#call;
    this.#call = null;
    call?.destroy();
  }

  #connect({ name, address }: { name: string; address: AgentAddress }): ClientRequest {
    const headers = { authorization: `Bearer ${this.#options.token.reveal()}` };
    const call = requestTo(address, this.#options.trust(name))({ path: "/presence", headers });
    call.once("response", (response) => {
      if (call !== this.#call) return;
      if (response.statusCode === 200) {
        this.#wasMet = true;
        this.#lostSinceMs = null;
      }
      response.resume();
    });
    // "close" comes in any case, after an error too.
    call.on("error", () => {});
    call.once("close", () => {
      if (call !== this.#call) return;
      this.#call = null;
      // Only the first loss is news; whoever suspects looks again by itself.
      if (this.#lostSinceMs !== null) return;
      this.#lostSinceMs = this.#options.clock.nowMs();
      this.#options.onLost();
    });
    call.end();
    return call;
  }
}

function keyOf({ name, address }: { name: string; address: AgentAddress }): string {
  return `${name} ${address.host}:${address.apiPort}`;
}
