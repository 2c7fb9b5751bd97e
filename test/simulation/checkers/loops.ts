// Once faults have ended, nothing goes on for ever.
import type { View } from "./checker.ts";

/** So often a member may be copied or rewound, and its server started, after the last fault. */
const LIMITS = { copied: 4, rewound: 4, started: 12 } as const;

export type Happening = keyof typeof LIMITS;

export class LoopChecker {
  readonly #view: View;
  readonly #counts = new Map<string, number>();
  #isHealed = false;

  constructor(view: View) {
    this.#view = view;
  }

  healed(): void {
    this.#isHealed = true;
  }

  happened(member: string, what: Happening): void {
    if (!this.#isHealed) return;
    const key = `${member} ${what}`;
    const count = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, count);
    if (count > LIMITS[what])
      this.#view.fail(
        "no rejoining without end",
        `${member} was ${what} ${count} times after all faults`,
      );
  }
}
