// How to start this same program again, as another process: agents are started so. It goes through
// bin/understudy.js like everybody, so that they share its choice of sources and its compile cache.
import { statSync } from "node:fs";
import module from "node:module";
import { fileURLToPath } from "node:url";

/**
 * V8's flags for processes that live long and do little, such as agents: a young generation of 1 MB
 * keeps an agent's resident memory below its bar. Flags that change how code is compiled
 * (--optimize-for-size among them) make V8 refuse the code cache of Node's own modules: measured,
 * that costs each start 80 ms and saves nothing.
 */
const SMALL_PROCESS_FLAGS = ["--max-semi-space-size=1"] as const;

/**
 * What such a process tells its own C library: one heap for all of Node's threads, which gives back
 * what is free. Without it an agent that needs 4.5 MB of that library held 16 in eleven heaps after
 * thirty failovers, and more with each. Others than glibc pass it over. It is not meant for what an
 * agent starts beside its deadman (forgetMalloc): PostgreSQL sorts in that memory.
 */
export const SMALL_PROCESS_MALLOC = {
  GLIBC_TUNABLES: [
    "glibc.malloc.arena_max=1",
    "glibc.malloc.trim_threshold=131072",
    "glibc.malloc.mmap_threshold=131072",
  ].join(":"),
} as const;

/** To be called before anything is started. What somebody else has set stays. */
export function forgetMalloc(env: NodeJS.ProcessEnv): void {
  for (const [name, value] of Object.entries(SMALL_PROCESS_MALLOC))
    if (env[name] === value) delete env[name];
}

const STARTED_AGAIN = "UNDERSTUDY_STARTED_AGAIN";

export interface OwnProgram {
  /** The Node that runs us: never a name to be looked up in PATH. */
  readonly file: string;
  /** To be put before the command and its arguments. */
  readonly argsPrefix: readonly string[];
  /** To be put into its environment, where that has nothing else of the name. */
  readonly env: Readonly<Record<string, string>>;
}

/** How a command such as "agent" is started as a process that lives long and does little. */
export function ownProgram(): OwnProgram {
  // The same relative place from src/cli/entry.ts and from dist/cli/entry.js.
  const launcher = fileURLToPath(new URL("../../bin/understudy.js", import.meta.url));
  return {
    file: process.execPath,
    argsPrefix: [...SMALL_PROCESS_FLAGS, launcher],
    env: SMALL_PROCESS_MALLOC,
  };
}

/**
 * For a process that lives long, to be called once when all its modules are imported and before it
 * does anything. Node's type stripper stays resident in a process that used it (15 MB, measured on
 * 24.21); on a warm compile cache it is never loaded. So a process that found the cache cold writes
 * it and replaces itself, under the same pid and at most once. Returns where there is nothing to
 * gain: a program that was built, a warm cache, an unwritable one, or a platform without execve.
 */
export function startAgainFromWarmCache(): void {
  // What was built needs no stripper.
  if (!import.meta.url.endsWith(".ts")) return;
  const cache = module.getCompileCacheDir();
  if (cache === undefined || process.execve === undefined) return;
  if (process.env[STARTED_AGAIN] !== undefined) {
    // What this process starts is to begin with a warm cache too.
    delete process.env[STARTED_AGAIN];
    return;
  }
  module.flushCompileCache();
  if (!wasWrittenByThisProcess(cache)) return;
  process.execve(
    process.execPath,
    [process.execPath, ...process.execArgv, ...process.argv.slice(1)],
    { ...process.env, [STARTED_AGAIN]: "1" },
  );
}

/**
 * A new entry changes the directory's own time; another process's entry costs us one start more.
 */
function wasWrittenByThisProcess(directory: string): boolean {
  try {
    return statSync(directory).mtimeMs >= performance.timeOrigin;
  } catch {
    return false; // nothing was ever written there
  }
}
