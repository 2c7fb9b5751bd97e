// Runs one program to its end: no shell, a deadline, bounded output. For what ends by itself
// (initdb, pg_config, getent); a postmaster, which outlives us, is started elsewhere.
import { type ChildProcess, spawn } from "node:child_process";
import { UnderstudyError, codeOf, messageOf } from "../core/errors.ts";

export interface ProgramOptions {
  readonly program: string;
  readonly args: readonly string[];
  /** The whole environment; ours where it is left out. */
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Written to its standard input, which is empty otherwise. */
  readonly input?: string;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  /** Only root may set these; supplementary groups are then dropped. */
  readonly uid?: number;
  readonly gid?: number;
  /** Of each stream; the last bytes are kept, where a program says why it failed. Default 1 MiB. */
  readonly maxOutputBytes?: number;
}

export interface ProgramResult {
  /** Null when a signal ended it. */
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** The beginning of stdout or stderr was thrown away. */
  readonly truncated: boolean;
}

const DEFAULT_OUTPUT_BYTES = 1024 * 1024;
/**
 * A descendant may hold our pipes open for ever; what was written before the exit has arrived by
 * then.
 */
const PIPE_GRACE_MS = 500;

/**
 * Resolves whatever the exit status is: judging it is the caller's.
 * @throws UnderstudyError PROGRAM_FAILED when it cannot be started (`details.code` "ENOENT",
 * "EACCES" …), TIMED_OUT when it was killed at the deadline; the signal's reason when aborted (it
 * is killed then, too).
 */
export async function runProgram(options: ProgramOptions): Promise<ProgramResult> {
  options.signal?.throwIfAborted();
  const child = start(options);
  const limit = options.maxOutputBytes ?? DEFAULT_OUTPUT_BYTES;
  const stdout = collect(child.stdout, limit);
  const stderr = collect(child.stderr, limit);
  let timedOut = false;
  // Through the handle, not by number: Node sends nothing once it has reaped the process.
  const kill = () => void child.kill("SIGKILL");
  const deadline = setTimeout(() => {
    timedOut = true;
    kill();
  }, options.timeoutMs);
  options.signal?.addEventListener("abort", kill, { once: true });
  try {
    const { status, signal } = await ended(child, options);
    options.signal?.throwIfAborted();
    if (timedOut) throw timeoutError(options, stderr.text());
    return {
      status,
      signal,
      stdout: stdout.text(),
      stderr: stderr.text(),
      truncated: stdout.truncated() || stderr.truncated(),
    };
  } finally {
    clearTimeout(deadline);
    options.signal?.removeEventListener("abort", kill);
  }
}

function start(options: ProgramOptions): ChildProcess {
  try {
    const child = spawn(options.program, options.args, {
      stdio: [options.input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
      ...(options.env === undefined ? {} : { env: options.env }),
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.uid === undefined ? {} : { uid: options.uid }),
      ...(options.gid === undefined ? {} : { gid: options.gid }),
    });
    // A program that does not read its input to the end is none of our failures: its status tells.
    child.stdin?.on("error", () => {});
    child.stdin?.end(options.input);
    return child;
  } catch (cause) {
    throw startError(options, cause);
  }
}

function ended(
  child: ChildProcess,
  options: ProgramOptions,
): Promise<{ status: number | null; signal: NodeJS.Signals | null }> {
  return new Promise((resolve, reject) => {
    let grace: NodeJS.Timeout | undefined;
    child.once("error", (cause) => {
      reject(startError(options, cause));
    });
    child.once("exit", () => {
      grace = setTimeout(() => {
        child.stdout?.destroy();
        child.stderr?.destroy();
      }, PIPE_GRACE_MS);
    });
    child.once("close", (status, signal) => {
      clearTimeout(grace);
      resolve({ status, signal });
    });
  });
}

/** Keeps the last `limit` bytes of a stream. */
function collect(
  stream: NodeJS.ReadableStream | null,
  limit: number,
): { text(): string; truncated(): boolean } {
  const chunks: Buffer[] = [];
  let kept = 0;
  let cut = false;
  stream?.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    kept += chunk.length;
    for (let first = chunks[0]; first !== undefined && kept > limit; first = chunks[0]) {
      cut = true;
      const surplus = Math.min(kept - limit, first.length);
      if (surplus === first.length) chunks.shift();
      else chunks[0] = first.subarray(surplus);
      kept -= surplus;
    }
  });
  return { text: () => Buffer.concat(chunks).toString("utf8"), truncated: () => cut };
}

function startError(options: ProgramOptions, cause: unknown): UnderstudyError {
  return new UnderstudyError(
    "PROGRAM_FAILED",
    `cannot run ${options.program}: ${messageOf(cause)}`,
    { cause, details: { program: options.program, code: codeOf(cause) ?? null } },
  );
}

function timeoutError(options: ProgramOptions, stderr: string): UnderstudyError {
  const said = stderr.trim().split("\n").at(-1) ?? "";
  const lastWords = said === "" ? "" : `; it last said: ${said}`;
  return new UnderstudyError(
    "TIMED_OUT",
    `${options.program} did not end within ${options.timeoutMs} ms and was killed${lastWords}`,
    { details: { program: options.program, timeoutMs: options.timeoutMs } },
  );
}
