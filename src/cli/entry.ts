// How to start this same program again, as another process: agents are started so. It goes through
// bin/understudy.js like everybody, so that they share its choice of sources and its compile cache.
import { fileURLToPath } from "node:url";

/**
 * V8's flags for processes that live long and do little, such as agents: a young generation of
 * 1 MB and code that is compiled small keep an agent's resident memory below its bar.
 */
export const SMALL_PROCESS_FLAGS = ["--max-semi-space-size=1", "--optimize-for-size"] as const;

export interface OwnProgram {
  /** The Node that runs us: never a name to be looked up in PATH. */
  readonly file: string;
  /** To be put before the command and its arguments. */
  readonly argsPrefix: readonly string[];
}

/** The program and the arguments that come before a command such as "agent". */
export function ownProgram(nodeFlags: readonly string[] = []): OwnProgram {
  // The same relative place from src/cli/entry.ts and from dist/cli/entry.js.
  const launcher = fileURLToPath(new URL("../../bin/understudy.js", import.meta.url));
  return { file: process.execPath, argsPrefix: [...nodeFlags, launcher] };
}
