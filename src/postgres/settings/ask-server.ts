// Asks the server's own binaries whether they accept a postgresql.conf, without a data directory
// and without starting anything: `postgres -C` reads the file, complains as a real start would,
// prints one value and ends.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Installation } from "../installation.ts";
import { runProgram } from "../run-program.ts";
import { serverEnvironment } from "../server-environment.ts";

/** Null: accepted. Else the first complaint, its detail and its hint, as the server words them. */
export interface Complaint {
  readonly message: string;
  readonly detail: string | null;
  readonly hint: string | null;
}

/**
 * An empty directory with a postgresql.conf in it that is rewritten for each question; ours until
 * disposed of.
 */
export class ServerQuestion implements AsyncDisposable {
  readonly #installation: Installation;
  readonly #directory: string;
  readonly #signal: AbortSignal | undefined;

  private constructor(
    installation: Installation,
    place: { directory: string; signal: AbortSignal | undefined },
  ) {
    this.#installation = installation;
    this.#directory = place.directory;
    this.#signal = place.signal;
  }

  static async open(
    installation: Installation,
    options: { signal?: AbortSignal },
  ): Promise<ServerQuestion> {
    const directory = await mkdtemp(join(tmpdir(), "understudy-settings-"));
    return new ServerQuestion(installation, { directory, signal: options.signal });
  }

  /** @throws UnderstudyError PROGRAM_FAILED or TIMED_OUT; the signal's reason. */
  async complaintAbout(postgresqlConf: string): Promise<Complaint | null> {
    await writeFile(join(this.#directory, "postgresql.conf"), postgresqlConf, { mode: 0o600 });
    const result = await runProgram({
      program: join(this.#installation.binDir, "postgres"),
      // As the first argument -C is also allowed to root (measured on 10 to 18).
      args: ["-C", "server_version", "-D", this.#directory],
      env: serverEnvironment(process.env),
      cwd: "/",
      timeoutMs: 10_000,
      ...(this.#signal === undefined ? {} : { signal: this.#signal }),
    });
    return result.status === 0 ? null : parseComplaint(result.stderr);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
  }
}

/**
 * The server writes one line of LOG for what is wrong, with DETAIL and HINT lines to it, then FATAL
 * that the file contains errors.
 */
export function parseComplaint(stderr: string): Complaint {
  let message: string | null = null;
  let detail: string | null = null;
  let hint: string | null = null;
  for (const line of stderr.split("\n")) {
    const [, severity, text = ""] = /\b(LOG|FATAL|PANIC|DETAIL|HINT): {2}(.*)$/.exec(line) ?? [];
    if (severity === undefined || text.startsWith("skipping missing configuration file")) continue;
    if (severity === "DETAIL") detail ??= text;
    else if (severity === "HINT") hint ??= text;
    else if (message === null) message = text;
    else break;
  }
  return { message: message ?? (stderr.trim() || "it ended without a word"), detail, hint };
}
