// Makes many files durable. A small cluster is a thousand of them, and each fsync by itself has the
// disk write and wait: the file system is asked to write everything at once before, and each file
// is synced all the same, because only that tells of a failure.
import { closeSync, fsync, fsyncSync, openSync } from "node:fs";
import { setImmediate as turn, setTimeout as delay } from "node:timers/promises";
import { runProgram } from "../run-program.ts";

/** Several at a time, so that a journalling file system writes them in common commits. */
const AT_A_TIME = 4;
/** Fewer are not worth a process. */
const MANY = 200;
/** Beyond it others' data are being written as well, or ours are a great deal. */
const WRITE_BACK_LIMIT_MS = 500;
/** A disk that takes longer for a file is left to other threads. */
const SLOW_MS = 20;
/** Between two of these the process gets to its other work. */
const BURST = 32;

/** fsync of each path, in any order. @throws the signal's reason, or the system's error. */
export async function syncPaths(paths: readonly string[], signal: AbortSignal): Promise<void> {
  const rest = paths.values();
  const [first] = paths;
  if (first !== undefined && paths.length >= MANY && (await writeBack(first, signal)))
    await syncWritten(rest, signal);
  const worker = async (): Promise<void> => {
    // One iterator for all workers: each takes the next path that nobody has taken.
    for (const path of rest) {
      signal.throwIfAborted();
      await syncPath(path);
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, worker));
}

/**
 * Has the file system of that path write what it holds (syncfs(2), by coreutils' program). A help
 * and no promise: 50 ms instead of 200 for a thousand files, measured on ext4.
 * @returns whether it is done.
 */
async function writeBack(path: string, signal: AbortSignal): Promise<boolean> {
  const limit = new AbortController();
  const request = { program: "sync", args: ["-f", path], timeoutMs: WRITE_BACK_LIMIT_MS, signal };
  const isDone = runProgram(request).then(
    ({ status }) => status === 0,
    () => false,
  );
  // It cannot be killed while it waits for the disk.
  const isLate = delay(WRITE_BACK_LIMIT_MS, false, { signal: limit.signal }).catch(() => false);
  const result = await Promise.race([isDone, isLate]);
  limit.abort();
  signal.throwIfAborted();
  return result;
}

/**
 * There is nothing left to be written, so that no thread has to wait for it: handing a thousand
 * files to other threads takes five times the processor time. Leaves the rest at the first one that
 * is waited for.
 */
async function syncWritten(rest: Iterator<string>, signal: AbortSignal): Promise<void> {
  for (let count = 1; ; count += 1) {
    const next = rest.next();
    if (next.done === true) return;
    const begunMs = performance.now();
    syncNow(next.value);
    if (performance.now() - begunMs > SLOW_MS) return;
    if (count % BURST === 0) await turn();
    signal.throwIfAborted();
  }
}

function syncNow(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Only the wait for the disk is given to another thread: with opening and closing there as well, a
 * small cluster's thousand files cost twice the processor time of the whole copy.
 */
async function syncPath(path: string): Promise<void> {
  const descriptor = openSync(path, "r");
  try {
    await new Promise<void>((resolve, reject) => {
      fsync(descriptor, (error) => (error === null ? resolve() : reject(error)));
    });
  } finally {
    closeSync(descriptor);
  }
}
