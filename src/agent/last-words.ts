// What a process that lives long says where no journal takes it: on its standard error.
import { writeSync } from "node:fs";

const STDERR = 2;

/**
 * Says it, or does not. Its standard error is a file beside the data, and a stream in Node that
 * cannot write, as on a full disk, ends the process: of words.
 */
export function say(text: string): void {
  try {
    writeSync(STDERR, `${text}\n`);
  } catch {
    // There is nowhere left to say that either.
  }
}
