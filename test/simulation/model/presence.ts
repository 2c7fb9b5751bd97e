// The model of the connection that an agent holds open to another for nothing but its end.
import type { Presence } from "../../../src/agent/presence.ts";
import type { Clock } from "../../../src/agent/clock.ts";
import type { Life } from "../life.ts";
import type { Surroundings } from "./surroundings.ts";

/** What is sent and not received is sent again. */
const SEND_AGAIN_MS = 1_000;
const SEND_LIMIT_MS = 60_000;
const CONNECT_MS = 2;

interface Call {
  readonly name: string;
  end: Disposable | null;
  isMet: boolean;
}

export class ModelPresence implements Presence {
  readonly #self: string;
  readonly #clock: Clock;
  readonly #life: Life;
  readonly #around: Surroundings;
  readonly #onLost: () => void;
  #watched: string | null = null;
  #call: Call | null = null;
  wasMet = false;
  lostSinceMs: number | null = null;

  constructor(options: {
    self: string;
    clock: Clock;
    life: Life;
    around: Surroundings;
    onLost: () => void;
  }) {
    this.#self = options.self;
    this.#clock = options.clock;
    this.#life = options.life;
    this.#around = options.around;
    this.#onLost = options.onLost;
  }

  follow(member: { readonly name: string } | null): void {
    const name = member?.name ?? null;
    if (name !== this.#watched) {
      this[Symbol.dispose]();
      this.#watched = name;
      this.wasMet = false;
      this.lostSinceMs = null;
    }
    if (name === null || this.#call !== null) return;
    const call: Call = { name, end: null, isMet: false };
    this.#call = call;
    this.#life.setTimer(CONNECT_MS, () => this.#connect(call));
  }

  [Symbol.dispose](): void {
    this.#call?.end?.[Symbol.dispose]();
    this.#call = null;
  }

  /** Until an answer has come, that nobody listens included. */
  #connect(call: Call): void {
    if (call !== this.#call || call.isMet) return;
    const { name } = call;
    const { network } = this.#around;
    network.send({ from: this.#self, to: name, deliver: () => this.#arrive(call) });
    this.#life.setTimer(SEND_AGAIN_MS, () => this.#connect(call));
  }

  #arrive(call: Call): void {
    if (call !== this.#call) return;
    const { name } = call;
    const neighbour = this.#around.neighbour(name);
    if (neighbour === null || neighbour.running === null)
      return this.#tell(call, () => this.#lost(call));
    // The system at the other end tells of the end, for as long as it takes.
    call.end ??= neighbour.onAgentEnd(() => this.#tellEnd(call, SEND_LIMIT_MS));
    neighbour.running.life.deliver(() => this.#tell(call, () => this.#met(call)));
  }

  #tell({ name }: Call, deliver: () => void): void {
    this.#around.network.send({ from: name, to: this.#self, deliver });
  }

  #tellEnd(call: Call, leftMs: number): void {
    if (call !== this.#call || leftMs <= 0) return;
    this.#tell(call, () => this.#lost(call));
    this.#life.setTimer(SEND_AGAIN_MS, () => this.#tellEnd(call, leftMs - SEND_AGAIN_MS));
  }

  #met(call: Call): void {
    this.#life.deliver(() => {
      if (call !== this.#call) return;
      call.isMet = true;
      this.wasMet = true;
      this.lostSinceMs = null;
    });
  }

  #lost(call: Call): void {
    this.#life.deliver(() => {
      if (call !== this.#call) return;
      this[Symbol.dispose]();
      if (this.lostSinceMs !== null) return;
      this.lostSinceMs = this.#clock.nowMs();
      this.#onLost();
    });
  }
}
