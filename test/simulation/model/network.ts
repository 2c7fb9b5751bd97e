// The network between the members' agents, their servers and the store: messages take time,
// overtake each other, are lost, come twice, and a way may be cut in one direction alone. Whoever
// asks waits until an answer comes or its time is over; what was asked may be done nevertheless, or
// later.
import type { Life } from "../life.ts";
import type { Random } from "../random.ts";
import type { Scheduler } from "../scheduler.ts";

/** How bad it is on the ways that it holds for. */
export interface Weather {
  /** How probable it is that a message never comes. */
  readonly lost: number;
  /** ... that it comes twice. */
  readonly doubled: number;
  /** ... that it is late, and by how much at most. */
  readonly slow: number;
  readonly slowMs: number;
}

export const CALM: Weather = { lost: 0, doubled: 0, slow: 0, slowMs: 0 };

/** The store's place in it. */
export const STORE = "store";

interface Way {
  cuts: number;
  /** The worst counts: the one that began last. */
  readonly weathers: Weather[];
}

/** One answer and no other: what was asked, or why it was not done. */
export type Reply<T> = (answer: { readonly value: T } | { readonly error: unknown }) => void;

export interface Question<T> {
  readonly from: string;
  /** Of the process that asks. */
  readonly life: Life;
  readonly to: string;
  readonly limitMs: number;
  /** Carried out where it is asked, perhaps twice. */
  readonly ask: (reply: Reply<T>) => void;
  /** Thrown when no answer has come in time. */
  readonly silence: () => Error;
}

const USUAL_MS = 3;

export class Network {
  readonly #scheduler: Scheduler;
  readonly #random: Random;
  readonly #ways = new Map<string, Map<string, Way>>();
  readonly #usual: Weather;

  constructor(options: { scheduler: Scheduler; random: Random; usual: Weather }) {
    this.#scheduler = options.scheduler;
    this.#random = options.random;
    this.#usual = options.usual;
  }

  /** Until it is taken back nothing goes that way; the way back stays as it is. */
  cut(from: string, to: string): () => void {
    const way = this.#way(from, to);
    way.cuts += 1;
    let isOver = false;
    return () => {
      if (!isOver) way.cuts -= 1;
      isOver = true;
    };
  }

  setWeather(of: { from: string; to: string; weather: Weather }): () => void {
    const { weathers } = this.#way(of.from, of.to);
    weathers.push(of.weather);
    return () => {
      const place = weathers.indexOf(of.weather);
      if (place >= 0) weathers.splice(place, 1);
    };
  }

  isOpen(from: string, to: string): boolean {
    return from === to || this.#way(from, to).cuts === 0;
  }

  /** Whether a connection can be made: what is sent must come back. */
  connects(one: string, other: string): boolean {
    return this.isOpen(one, other) && this.isOpen(other, one);
  }

  /** How late a piece of a stream comes: what is lost is sent again until it arrives. */
  delayOf(from: string, to: string): number {
    const { lost, slow, slowMs } = this.#weatherOf(from, to);
    let delayMs = 0;
    if (lost > 0 && this.#random.chance(lost)) delayMs += this.#random.between(200, 1_600);
    if (slow > 0 && this.#random.chance(slow)) delayMs += this.#random.between(0, slowMs);
    return delayMs;
  }

  /** One message, which comes once, twice or never. */
  send(of: { from: string; to: string; deliver: () => void }): void {
    const { from, to, deliver } = of;
    const way = this.#way(from, to);
    if (way.cuts > 0) return;
    const { lost, doubled, slow, slowMs } = way.weathers.at(-1) ?? this.#usual;
    const random = this.#random;
    const arrive = () => {
      if (way.cuts === 0) deliver();
    };
    for (let copies = doubled > 0 && random.chance(doubled) ? 2 : 1; copies > 0; copies -= 1) {
      if (lost > 0 && random.chance(lost)) continue;
      const late = slow > 0 && random.chance(slow) ? random.between(0, slowMs) : 0;
      this.#scheduler.quietly(random.between(0, USUAL_MS) + late, arrive);
    }
  }

  /** @throws what `silence` makes when the limit passes first, or what was answered as an error. */
  ask<T>(question: Question<T>): Promise<T> {
    const { from, to, life, limitMs, ask, silence } = question;
    return new Promise((resolve, reject) => {
      const timer = life.setTimer(limitMs, () => reject(silence()));
      const reply: Reply<T> = (answer) =>
        this.send({
          from: to,
          to: from,
          deliver: () =>
            life.deliver(() => {
              timer[Symbol.dispose]();
              if ("error" in answer) reject(answer.error);
              else resolve(answer.value);
            }),
        });
      this.send({ from, to, deliver: () => ask(reply) });
    });
  }

  #weatherOf(from: string, to: string): Weather {
    return this.#way(from, to).weathers.at(-1) ?? this.#usual;
  }

  #way(from: string, to: string): Way {
    let ways = this.#ways.get(from);
    if (ways === undefined) this.#ways.set(from, (ways = new Map()));
    let way = ways.get(to);
    if (way === undefined) ways.set(to, (way = { cuts: 0, weathers: [] }));
    return way;
  }
}
