// The model of the connection that an agent holds open to another for nothing but its end.
import type { Presence } from "../../../src/agent/presence.ts";
import type { Clock } from "../../../src/agent/clock.ts";
import type { Life } from "../life.ts";
import type { Surroundings } from "./member.ts";

const TRY_AGAIN_MS = 500;

interface Call {
  readonly name: string;
  end: Disposable | null;
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
    const call: Call = { name, end: null };
    this.#call = call;
    this.#life.setTimer(2, () => this.#connect(call));
  }

  [Symbol.dispose](): void {
    this.#call?.end?.[Symbol.dispose]();
    this.#call = null;
  }

  #connect(call: Call): void {
    if (call !== this.#call) return;
    const { name } = call;
    // Without a way there nothing comes back, not even that nobody listens.
    const isThere = this.#around.neighbour(name)?.hasAgent === true;
    const isReached = this.#around.reaches(this.#self, name);
    if (isReached && !isThere) return this.#lost(call);
    call.end ??= this.#around.onAgentEnd(name, () =>
      this.#life.setTimer(1, () => this.#lost(call)),
    );
    if (this.#around.memberOf(name, this.#self) === null)
      return void this.#life.setTimer(TRY_AGAIN_MS, () => this.#connect(call));
    this.wasMet = true;
    this.lostSinceMs = null;
  }

  #lost(call: Call): void {
    call.end?.[Symbol.dispose]();
    if (call !== this.#call) return;
    this.#call = null;
    this.lostSinceMs ??= this.#clock.nowMs();
    this.#onLost();
  }
}
