// Looks whether what an agent in a pod is told has become another text. The kubelet replaces the
// files while the pod runs, by another directory behind a link, and gives no sign of that which
// every file system tells; so they are read every two seconds.
import { messageOf } from "../core/errors.ts";
import type { Clock } from "./clock.ts";
import type { NewEntry } from "./journal.ts";

const LOOK_EVERY_MS = 2_000;

export interface ToldWatchOptions {
  readonly clock: Pick<Clock, "setTimer">;
  /** All that it is told, as one text. */
  readonly readText: () => Promise<string>;
  /** What this agent began with. */
  readonly first: string;
  /** Takes another text up. What it throws is tried again, and told once. */
  readonly onChange: () => Promise<void>;
  /** Why a text cannot be taken up; null: the one that there is now was. */
  readonly onTrouble: (why: string | null) => void;
}

export class ToldWatch implements Disposable {
  readonly #options: ToldWatchOptions;
  /** As it was taken up last. */
  #text: string;
  #trouble: string | null = null;
  #timer: Disposable | null = null;
  #ended = false;

  constructor(options: ToldWatchOptions) {
    this.#options = options;
    this.#text = options.first;
    this.#lookLater();
  }

  [Symbol.dispose](): void {
    this.#ended = true;
    this.#timer?.[Symbol.dispose]();
  }

  #lookLater(): void {
    if (this.#ended) return;
    this.#timer = this.#options.clock.setTimer(LOOK_EVERY_MS, () => {
      void this.#look().finally(() => this.#lookLater());
    });
  }

  async #look(): Promise<void> {
    try {
      const text = await this.#options.readText();
      if (text !== this.#text) await this.#options.onChange();
      this.#text = text;
      this.#tell(null);
    } catch (thrown) {
      this.#tell(messageOf(thrown));
    }
  }

  /** Each trouble once, however often it is met. */
  #tell(why: string | null): void {
    if (why === this.#trouble) return;
    this.#trouble = why;
    this.#options.onTrouble(why);
  }
}

/** What was told before stays in force meanwhile. */
export function troubleWithFile(why: string | null): NewEntry {
  return why === null
    ? { event: "specification-read", message: "The specification can be taken up again." }
    : {
        event: "specification-unusable",
        level: "error",
        message: `The specification that was told last cannot be taken up: ${why}`,
      };
}
