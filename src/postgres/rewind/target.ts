// The stopped server that is to be rewound: how large it is, and bringing it to the clean end that
// pg_rewind asks for, in one way on all majors.
import { lstat, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { UnderstudyError, codeOf } from "../../core/errors.ts";
import { readControlData } from "../control-data.ts";
import type { Installation } from "../installation.ts";
import { runProgram } from "../run-program.ts";
import { serverEnvironment } from "../server-environment.ts";
import { removeStalePidFile } from "../stale-pid-file.ts";

export interface RewindTarget {
  readonly installation: Installation;
  readonly dataDir: string;
  /** postgresql.conf, outside of the data directory. */
  readonly configFile: string;
}

/** As long as the rewind itself: what needs longer is copied anew. */
const RECOVERY_LIMIT_MS = 15 * 60_000;
/** What would make a start one in standby mode, which a single-user server refuses. */
const RECOVERY_FILES = ["standby.signal", "recovery.signal", "recovery.conf"];

/** Bytes of the data files, and how many tablespaces there are beside the default ones. */
export async function measureTarget(
  dataDir: string,
  signal: AbortSignal,
): Promise<{ dataBytes: number; tablespaces: number }> {
  return {
    dataBytes:
      (await bytesIn(join(dataDir, "base"), signal)) +
      (await bytesIn(join(dataDir, "global"), signal)),
    tablespaces: (await readdir(join(dataDir, "pg_tblspc"))).length,
  };
}

/**
 * Up to 12 pg_rewind takes only a target that was shut down; from 13 on it would recover it by
 * itself, but without our configuration file, which it knows from 15 on. So the recovery is ours:
 * as pg_rewind does it, in single-user mode, to the end of the target's own WAL, listening nowhere.
 * Without fsync: pg_rewind makes everything durable at its end.
 * @returns whether there was anything to recover.
 * @throws UnderstudyError REWIND_FAILED, TIMED_OUT or PROGRAM_FAILED; or the signal's reason.
 */
export async function recoverTarget(target: RewindTarget, signal: AbortSignal): Promise<boolean> {
  const { installation, dataDir, configFile } = target;
  if (await isShutDown(dataDir)) return false;
  await removeStalePidFile(dataDir);
  for (const name of RECOVERY_FILES) await rm(join(dataDir, name), { force: true });
  const result = await runProgram({
    program: join(installation.binDir, "postgres"),
    args: ["--single", "-F", "-D", dataDir, "-c", `config_file=${configFile}`, "template1"],
    // In the data directory, as every process of a server: should we die, it is found there.
    cwd: dataDir,
    env: serverEnvironment(process.env),
    timeoutMs: RECOVERY_LIMIT_MS,
    signal,
  });
  if (result.status === 0 && (await isShutDown(dataDir))) return true;
  throw new UnderstudyError(
    "REWIND_FAILED",
    `its own recovery ended with ${result.signal ?? result.status}: ${lastWords(result.stderr)}`,
  );
}

/** The line in which a program of PostgreSQL says why it failed, else its last one. */
export function lastWords(stderr: string): string {
  const lines = stderr
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const telling = lines.findLast((line) => /\b(error|fatal|panic|could not)\b/i.test(line));
  return telling ?? lines.at(-1) ?? "it said nothing";
}

async function isShutDown(dataDir: string): Promise<boolean> {
  const { state } = await readControlData(dataDir);
  return state === "shut down" || state === "shut down in recovery";
}

async function bytesIn(dir: string, signal: AbortSignal): Promise<number> {
  signal.throwIfAborted();
  let bytes = 0;
  for (const entry of await readdir(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) bytes += await bytesIn(path, signal);
    else bytes += await sizeOf(path);
  }
  return bytes;
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await lstat(path)).size;
  } catch (thrown) {
    if (codeOf(thrown) === "ENOENT") return 0;
    throw thrown;
  }
}
