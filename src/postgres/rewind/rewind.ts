// Brings a diverged data directory back into a running server's history, in place, with pg_rewind:
// it copies the pages that changed since the two parted. Under a write-ahead marker: what is left
// by an abort, an error or a crash at any byte is never started, and is worthless.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { UnderstudyError, messageOf } from "../../core/errors.ts";
import { writeMarker } from "../base-backup/marker.ts";
import { factsOf } from "../majors.ts";
import { runProgram } from "../run-program.ts";
import { serverEnvironment } from "../server-environment.ts";
import { escapePassfileField } from "../settings/quote.ts";
import { writeSettingsFile } from "../settings/write-settings.ts";
import { checkRewound, clearSlots } from "./outcome.ts";
import { SOURCE_DATABASE, prepareSource, sourceConninfo, type RewindSource } from "./source.ts";
import { lastWords, recoverTarget, type RewindTarget } from "./target.ts";

export interface RewindOptions {
  readonly target: RewindTarget;
  readonly source: RewindSource;
  /** Made with mode 0600 for as long as it runs: a password is never an argument (lesson 50). */
  readonly passfile: string;
  readonly systemId: string;
  /** That the source leads, and its pg_control is on. */
  readonly timeline: number;
  readonly signal: AbortSignal;
}

export type RewindResult =
  | { readonly kind: "rewound"; readonly recovered: boolean; readonly seconds: number }
  /** Half done: only a fresh copy helps. */
  | { readonly kind: "failed"; readonly why: string };

/** A rewind that takes longer has more to copy than was thought. */
const REWIND_LIMIT_MS = 15 * 60_000;

/**
 * The marker stays in either case: whoever calls removes it when everything else that he must know
 * of the new data is on disk, too. Recovery files are the caller's to write before the start.
 * @throws the signal's reason, and whatever keeps the marker from being written; nothing else.
 */
export async function rewindDataDirectory(options: RewindOptions): Promise<RewindResult> {
  const { target, source, signal } = options;
  const began = performance.now();
  signal.throwIfAborted();
  await writeMarker(target.dataDir, {
    operation: "rewind",
    pid: process.pid,
    startedAt: new Date().toISOString(),
    source: `${source.host}:${source.port}`,
  });
  try {
    const recovered = await recoverTarget(target, signal);
    await refuseTablespaces(options);
    await runRewind(options);
    await clearSlots(target.dataDir);
    await checkRewound(target.dataDir, options);
    return { kind: "rewound", recovered, seconds: (performance.now() - began) / 1000 };
  } catch (cause) {
    signal.throwIfAborted();
    return { kind: "failed", why: messageOf(cause) };
  }
}

/** Once more, as late as can be: a recovery may have taken minutes. */
async function refuseTablespaces({ source, timeline, signal }: RewindOptions): Promise<void> {
  const facts = await prepareSource({ source, checkpointBy: [], timeline, signal });
  if (facts.tablespaces > 0)
    throw new UnderstudyError("REWIND_FAILED", "a tablespace was made on the primary meanwhile");
}

async function runRewind(options: RewindOptions): Promise<void> {
  const { target, source, passfile, signal } = options;
  const { major, binDir } = target.installation;
  await writeSettingsFile(passfile, { text: passfileLine(source) });
  try {
    const result = await runProgram({
      program: join(binDir, "pg_rewind"),
      args: [
        `--target-pgdata=${target.dataDir}`,
        `--source-server=${sourceConninfo(source, { passfile, major })}`,
        ...(factsOf(major).rewind.recoversTarget ? ["--no-ensure-shutdown"] : []),
      ],
      // As a server's process: should we die, it is found by its directory and ended.
      cwd: target.dataDir,
      env: serverEnvironment(process.env),
      timeoutMs: REWIND_LIMIT_MS,
      signal,
    });
    if (result.status !== 0)
      throw new UnderstudyError(
        "REWIND_FAILED",
        `pg_rewind ended with ${result.signal ?? result.status}: ${lastWords(result.stderr)}`,
      );
  } finally {
    await rm(passfile, { force: true });
  }
}

function passfileLine({ host, port, user, password }: RewindSource): string {
  const fields = [host, `${port}`, SOURCE_DATABASE, user, password.reveal()];
  return `${fields.map(escapePassfileField).join(":")}\n`;
}
