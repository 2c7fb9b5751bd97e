// What the processes share that work on a small file system which only they see.
import { closeSync, openSync, writeSync } from "node:fs";
import { UnderstudyError, codeOf } from "../../src/core/errors.ts";

/** Somebody else takes all the room there is. */
export function fillDisk(path: string): void {
  const file = openSync(path, "a");
  try {
    for (;;) writeSync(file, Buffer.alloc(1 << 20));
  } catch (error) {
    if (codeOf(error) !== "ENOSPC") throw error;
  } finally {
    closeSync(file);
  }
}

/**
 * What is left of the pages that these files have begun: where that is full as well, nothing more
 * can be written to them, not even a line. Empty lines, which no journal has.
 */
export function fillLastPages(paths: readonly string[]): void {
  for (const path of paths) {
    const file = openSync(path, "a");
    try {
      for (;;) writeSync(file, "\n");
    } catch (error) {
      if (codeOf(error) !== "ENOSPC") throw error;
    } finally {
      closeSync(file);
    }
  }
}

/** How a step ended, for JSON: its error's code and sentence, or "none" and what it came to. */
export function outcomeOf<Result>(
  step: Promise<Result>,
  describe: (result: Result) => string,
): Promise<{ code: string; message: string }> {
  return step.then(
    (result) => ({ code: "none", message: describe(result) }),
    (thrown: unknown) => {
      if (!(thrown instanceof UnderstudyError)) throw thrown;
      return { code: thrown.code, message: thrown.message };
    },
  );
}
