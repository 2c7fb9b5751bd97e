// The machine's own watchdog, where a deadman is given one: once opened, the machine is restarted
// unless something is written to it in time, and "V" as the last word before it is closed disarms
// it (Linux, "The Linux Watchdog driver API"). For the day on which a deadman stands still, or what
// it kills does not die.
import { closeSync, constants, openSync, writeSync } from "node:fs";
import { messageOf } from "../../core/errors.ts";

/** Names the device for whoever starts a cluster; nothing is opened without it. */
export const WATCHDOG_VARIABLE = "UNDERSTUDY_WATCHDOG";
const DISARM = "V";

export class Watchdog {
  readonly #path: string;
  readonly #onTrouble: (why: string) => void;
  #file: number | null = null;
  #trouble: string | null = null;

  constructor(options: { path: string; onTrouble: (why: string) => void }) {
    this.#path = options.path;
    this.#onTrouble = options.onTrouble;
  }

  /** Another timeout of it may pass. The first time it is opened, and counts from then on. */
  feed(): void {
    try {
      // It must be there: a file that is made in its place would guard nothing.
      this.#file ??= openSync(this.#path, constants.O_WRONLY | constants.O_APPEND);
      writeSync(this.#file, "\0");
      this.#trouble = null;
    } catch (thrown) {
      // One that is another's (EBUSY) may be had later.
      const why = messageOf(thrown);
      if (why !== this.#trouble) this.#onTrouble(why);
      this.#trouble = why;
    }
  }

  /** There is nothing to guard any more. */
  disarm(): void {
    const file = this.#file;
    this.#file = null;
    if (file === null) return;
    try {
      writeSync(file, DISARM);
    } finally {
      closeSync(file);
    }
  }

  /** It goes on counting: another one feeds it from now on, or nobody does. */
  handOver(): void {
    if (this.#file !== null) closeSync(this.#file);
    this.#file = null;
  }
}
