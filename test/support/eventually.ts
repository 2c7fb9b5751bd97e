// Waiting for a condition, with a limit that a slow machine does not reach.
import { setTimeout as delay } from "node:timers/promises";

export const LIMIT_MS = 120_000;
const STEP_MS = 20;

/**
 * @returns the first result that is not null, undefined or false.
 * @throws Error naming what was waited for, with what was seen last; what `look` throws counts as
 * seen.
 */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | null | undefined | false> | T | null | undefined | false,
  options: { limitMs?: number; stepMs?: number; seen?: () => string } = {},
): Promise<T> {
  const limitMs = options.limitMs ?? LIMIT_MS;
  const deadline = performance.now() + limitMs;
  for (;;) {
    let trouble: unknown = null;
    try {
      const found = await look();
      if (found !== null && found !== undefined && found !== false) return found;
    } catch (thrown) {
      trouble = thrown;
    }
    if (performance.now() > deadline) {
      const last = trouble === null ? (options.seen?.() ?? "") : String(trouble);
      throw new Error(`${what}: not within ${limitMs / 1000} s. ${last}`);
    }
    await delay(options.stepMs ?? STEP_MS);
  }
}
