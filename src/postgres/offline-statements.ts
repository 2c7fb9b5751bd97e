// Runs statements in a data directory that no server runs on, by PostgreSQL's single-user mode, as
// initdb itself does: where nobody can connect yet, nothing is written to WAL for others, and
// nothing waits for the disk. The caller syncs what was written.
import { join } from "node:path";
import { UnderstudyError } from "../core/errors.ts";
import type { Installation } from "./installation.ts";
import { runProgram, type ProgramResult } from "./run-program.ts";
import { serverEnvironment } from "./server-environment.ts";

export interface OfflineOptions {
  readonly installation: Installation;
  readonly dataDir: string;
  readonly database: string;
  /** One line each. They are given by standard input and appear in no log and no message. */
  readonly statements: readonly string[];
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  /** Only root may set these. */
  readonly uid?: number;
  readonly gid?: number;
}

const SETTINGS = [
  // The first that fails ends it; otherwise it would go on and call that a success.
  "exit_on_error=true",
  "log_checkpoints=false",
  "log_min_error_statement=panic",
  "search_path=pg_catalog",
];

/**
 * @returns as it ended: whether that was well is the caller's to judge.
 * @throws UnderstudyError PROGRAM_FAILED, TIMED_OUT; the signal's reason when aborted.
 */
export async function runOffline(options: OfflineOptions): Promise<ProgramResult> {
  const { installation, dataDir, database, statements, timeoutMs, signal, uid, gid } = options;
  // A line is a statement there.
  if (statements.some((statement) => statement.includes("\n")))
    throw new UnderstudyError("INTERNAL", "a statement for the single-user mode has two lines");
  return await runProgram({
    program: join(installation.binDir, "postgres"),
    // -F: nothing is synced.
    args: ["--single", "-F", ...SETTINGS.flatMap((each) => ["-c", each]), "-D", dataDir, database],
    env: serverEnvironment(process.env),
    cwd: "/",
    input: statements.map((statement) => `${statement}\n`).join(""),
    timeoutMs,
    ...(signal === undefined ? {} : { signal }),
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
  });
}
