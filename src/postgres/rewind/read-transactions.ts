// Reads the transactions of a piece of WAL with the installation's own pg_waldump, line by line, so
// that neither much WAL nor a program that hangs costs more than its bound.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { messageOf } from "../../core/errors.ts";
import { formatLsn, type Lsn } from "../../core/lsn.ts";
import type { Installation } from "../installation.ts";
import { serverEnvironment } from "../server-environment.ts";
import { TransactionLog, type LostTransactions } from "./transaction-log.ts";

/** A gigabyte of WAL takes some ten seconds; nobody waits longer for a report. */
const LIMIT_MS = 60_000;

export interface WalRange {
  /** Where the segments lie. */
  readonly walDir: string;
  readonly timeline: number;
  readonly from: Lsn;
  readonly to: Lsn;
}

export interface ReadTransactions extends LostTransactions {
  /** Why not all of it could be read; null when all was. */
  readonly incomplete: string | null;
}

/**
 * @returns null where the installation has no pg_waldump.
 * @throws nothing but the signal's reason: what could not be read is said in `incomplete`.
 */
export async function readTransactions(
  installation: Installation,
  range: WalRange,
  signal: AbortSignal,
): Promise<ReadTransactions | null> {
  if (!installation.tools.includes("pg_waldump")) return null;
  const log = new TransactionLog();
  const program = join(installation.binDir, "pg_waldump");
  const limit = AbortSignal.timeout(LIMIT_MS);
  const incomplete = await eachLine({
    program,
    args: argumentsFor(range),
    signal: AbortSignal.any([signal, limit]),
    onLine: (line) => log.take(line),
  });
  signal.throwIfAborted();
  const tooLong = limit.aborted ? `it took longer than ${LIMIT_MS / 1000} s` : null;
  return { ...log.summary(), incomplete: tooLong ?? incomplete };
}

function argumentsFor({ walDir, timeline, from, to }: WalRange): string[] {
  const range = ["--start", formatLsn(from), "--end", formatLsn(to)];
  return ["--path", walDir, "--timeline", `${timeline}`, ...range];
}

/** @returns why it did not end well; null when it did. */
function eachLine(run: {
  program: string;
  args: readonly string[];
  signal: AbortSignal;
  onLine: (line: string) => void;
}): Promise<string | null> {
  return new Promise((resolve) => {
    const child = spawn(run.program, run.args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...serverEnvironment(process.env), TZ: "UTC" },
      signal: run.signal,
      killSignal: "SIGKILL",
    });
    let complaint = "";
    const lines = createInterface({ input: child.stdout });
    const read = new Promise<void>((ended) => {
      lines.once("close", () => ended());
    });
    lines.on("line", run.onLine);
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      complaint = `${complaint}${text}`.slice(-500);
    });
    child.once("error", (cause) => resolve(messageOf(cause)));
    child.once("close", (status, killedBy) => {
      const why = complaint.trim() || `pg_waldump ended with ${killedBy ?? status}`;
      // Its lines are read a moment after its end is known.
      void read.then(() => resolve(status === 0 ? null : why));
    });
  });
}
