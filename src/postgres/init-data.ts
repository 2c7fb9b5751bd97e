// Makes the data directory of a new cluster with initdb, and what is to be in it from the
// beginning: in a staging directory that becomes the data directory by one rename when all of it is
// on disk, so that what was cut off is never taken for data.
import { randomBytes } from "node:crypto";
import { chown, readdir, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { UnderstudyError, codeOf, messageOf } from "../core/errors.ts";
import type { Secret } from "../core/secret.ts";
import type { Installation } from "./installation.ts";
import { factsOf } from "./majors.ts";
import { runOffline } from "./offline-statements.ts";
import { type ProgramResult, runProgram } from "./run-program.ts";
import { serverEnvironment } from "./server-environment.ts";
import { syncDirectory } from "./sync-directory.ts";
import { syncTree } from "./sync-tree.ts";

export interface InitDataOptions {
  readonly installation: Installation;
  /** Absolute; absent or empty. Its parent must be there and writable. */
  readonly dataDir: string;
  readonly superuser: string;
  readonly superuserPassword: Secret;
  /**
   * "C.UTF-8" means: characters by Unicode, order by code point, by whatever way this server has
   * for it.
   */
  readonly locale: string;
  /** Default true. */
  readonly checksums?: boolean;
  /**
   * What is run in the database "postgres", a line each; asked for when initdb is done. They appear
   * in no command line, log or message. Default: none.
   */
  readonly statements?: () => Promise<readonly string[]>;
  /** Of each program. Default 60,000. */
  readonly timeoutMs?: number;
  /** Of making all of it durable. Default 300,000. */
  readonly syncTimeoutMs?: number;
  readonly signal?: AbortSignal;
  /** What is being done now. */
  readonly onProgress?: (step: "initdb" | "renaming") => void;
  /** Only root may set these. */
  readonly uid?: number;
  readonly gid?: number;
}

export interface InitDataResult {
  /** What was really used: "C.UTF-8 (builtin)", "C.UTF-8 (libc)", "C (libc)" … */
  readonly locale: string;
  /** What a person should know, one sentence each. */
  readonly warnings: readonly string[];
}

interface LocaleChoice {
  readonly args: readonly string[];
  readonly name: string;
  readonly warning: string | null;
}

const SAID_LINES = 3;
const PROGRAM_LIMIT_MS = 60_000;
/** Some forty megabytes in a thousand files, which slow storage in a network may take long for. */
const SYNC_LIMIT_MS = 300_000;
/**
 * All of it takes no longer, but where a disk does not answer at all: initdb, with one way to have
 * the locale and with another, the statements, the syncing.
 */
export const INIT_DATA_LIMIT_MS = 3 * PROGRAM_LIMIT_MS + SYNC_LIMIT_MS;

/**
 * @throws UnderstudyError DIRECTORY_NOT_OURS when dataDir holds something, INITDB_FAILED with
 * initdb's own last lines, DISK_FULL, TIMED_OUT; the signal's reason when aborted. Nothing is left
 * behind in any of them.
 */
export async function initData(options: InitDataOptions): Promise<InitDataResult> {
  await refuseContents(options.dataDir);
  await removeLeftovers(options.dataDir);
  const attempt = randomBytes(4).toString("hex");
  const staging = `${options.dataDir}.initdb-${attempt}`;
  const passwordFile = `${options.dataDir}.initdb-${attempt}.password`;
  try {
    await writePasswordFile(passwordFile, options);
    options.onProgress?.("initdb");
    const choice = await runInitdb(options, { staging, passwordFile });
    await runStatements(options, staging);
    await makeDurable(staging, options);
    options.onProgress?.("renaming");
    await rename(staging, options.dataDir);
    await syncDirectory(dirname(options.dataDir));
    return {
      locale: choice.name,
      warnings: choice.warning === null ? [] : [choice.warning],
    };
  } catch (thrown) {
    throw placeError(options.dataDir, thrown);
  } finally {
    await rm(passwordFile, { force: true });
    await removeTree(staging);
  }
}

/** @throws UnderstudyError TIMED_OUT, and what syncTree throws. */
async function makeDurable(staging: string, options: InitDataOptions): Promise<void> {
  const { signal, syncTimeoutMs = SYNC_LIMIT_MS, dataDir } = options;
  const limit = AbortSignal.timeout(syncTimeoutMs);
  try {
    await syncTree(staging, signal === undefined ? limit : AbortSignal.any([signal, limit]));
  } catch (cause) {
    if (!limit.aborted || signal?.aborted === true) throw cause;
    throw new UnderstudyError(
      "TIMED_OUT",
      `cannot make a data directory at ${dataDir}: its files were not on disk within ${syncTimeoutMs / 1000} s`,
      { cause, hint: "See whether that disk is slow or fails." },
    );
  }
}

/**
 * Tries the ways to have the locale in turn; only a locale that the system does not have leads to
 * the next.
 */
async function runInitdb(
  options: InitDataOptions,
  paths: { staging: string; passwordFile: string },
): Promise<LocaleChoice> {
  const choices = localeChoices(options);
  for (const [index, choice] of choices.entries()) {
    const result = await runProgram({
      program: join(options.installation.binDir, "initdb"),
      args: initdbArguments(options, { ...paths, choice }),
      // Only for the settings file in the data directory, which nobody reads here: without it
      // initdb compares the system's time zone week by week over a century.
      env: { TZ: "UTC", ...serverEnvironment(process.env) },
      cwd: "/",
      timeoutMs: options.timeoutMs ?? PROGRAM_LIMIT_MS,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
      ...(options.uid === undefined ? {} : { uid: options.uid }),
      ...(options.gid === undefined ? {} : { gid: options.gid }),
    });
    if (result.status === 0) return choice;
    const another = index < choices.length - 1 && /invalid locale name/.test(result.stderr);
    if (!another) throw programError(options, { name: "initdb", result });
    await removeTree(paths.staging);
  }
  throw new UnderstudyError("INTERNAL", "initdb was given no locale");
}

async function runStatements(options: InitDataOptions, staging: string): Promise<void> {
  const statements = (await options.statements?.()) ?? [];
  if (statements.length === 0) return;
  const { installation, timeoutMs = PROGRAM_LIMIT_MS, signal, uid, gid } = options;
  const result = await runOffline({
    installation,
    dataDir: staging,
    database: "postgres",
    statements,
    timeoutMs,
    ...(signal === undefined ? {} : { signal }),
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
  });
  if (result.status !== 0) throw programError(options, { name: "postgres --single", result });
}

function initdbArguments(
  options: InitDataOptions,
  given: { staging: string; passwordFile: string; choice: LocaleChoice },
): string[] {
  const facts = factsOf(options.installation.major);
  const checksums = options.checksums ?? true;
  return [
    `--pgdata=${given.staging}`,
    `--username=${options.superuser}`,
    `--pwfile=${given.passwordFile}`,
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    // All of it is synced together, when nothing more comes.
    "--no-sync",
    ...given.choice.args,
    ...(checksums ? ["--data-checksums"] : []),
    ...(!checksums && facts.checksumsDefault ? ["--no-data-checksums"] : []),
  ];
}

/**
 * The builtin provider's order of text never changes with the system (17+; manual 23.1.4). Below,
 * libc's C.UTF-8 has the same order, where the system has it; else C, which orders the same and
 * knows only ASCII letters.
 */
export function localeChoices(
  options: Pick<InitDataOptions, "installation" | "locale">,
): readonly LocaleChoice[] {
  const { locale } = options;
  if (!/^C\.utf-?8$/i.test(locale))
    return [{ args: [`--locale=${locale}`], name: `${locale} (libc)`, warning: null }];
  if (factsOf(options.installation.major).builtinLocaleProvider) {
    const builtin = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"];
    const name = "C.UTF-8 (builtin)";
    return [
      { args: [...builtin, "--locale=C.UTF-8"], name, warning: null },
      { args: [...builtin, "--locale=C"], name, warning: null },
    ];
  }
  return [
    { args: ["--locale=C.UTF-8"], name: "C.UTF-8 (libc)", warning: null },
    {
      args: ["--locale=C"],
      name: "C (libc)",
      warning:
        "this system has no locale C.UTF-8, so the cluster has C: upper() and lower() change ASCII letters only",
    },
  ];
}

async function refuseContents(dataDir: string): Promise<void> {
  try {
    const [first] = await readdir(dataDir);
    if (first === undefined) return;
    throw new UnderstudyError(
      "DIRECTORY_NOT_OURS",
      `cannot make a data directory at ${dataDir}: it holds files already, "${first}" among them`,
    );
  } catch (thrown) {
    if (codeOf(thrown) !== "ENOENT") throw thrown;
  }
}

/** What an initdb left that was killed together with its agent. */
async function removeLeftovers(dataDir: string): Promise<void> {
  const parent = dirname(dataDir);
  const prefix = `${basename(dataDir)}.initdb-`;
  const names = await readdir(parent).catch((cause: unknown) => {
    throw new UnderstudyError(
      "DIRECTORY_NOT_WRITABLE",
      `cannot make a data directory in ${parent}: ${messageOf(cause)}`,
      { cause },
    );
  });
  for (const name of names) if (name.startsWith(prefix)) await removeTree(join(parent, name));
}

async function writePasswordFile(path: string, options: InitDataOptions): Promise<void> {
  const password = options.superuserPassword.reveal();
  if (/[\n\r\0]/.test(password) || password === "")
    throw new UnderstudyError(
      "INITDB_FAILED",
      "the administrator's password is empty or has a line break in it",
      { hint: "Choose another password." },
    );
  await writeFile(path, `${password}\n`, { mode: 0o600, flag: "wx" });
  if (options.uid !== undefined && options.gid !== undefined)
    await chown(path, options.uid, options.gid);
}

/**
 * A server process that initdb had begun may write for a moment after initdb was killed: tried
 * again.
 */
async function removeTree(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
}

/** What the file system said while we, not initdb, worked there. */
function placeError(dataDir: string, thrown: unknown): unknown {
  if (thrown instanceof UnderstudyError) return thrown;
  const code = codeOf(thrown);
  const full = code === "ENOSPC" || code === "EDQUOT";
  if (!full && !["EACCES", "EPERM", "EROFS", "ENOENT"].includes(code ?? "")) return thrown;
  return new UnderstudyError(
    full ? "DISK_FULL" : "DIRECTORY_NOT_WRITABLE",
    `cannot make a data directory at ${dataDir}: ${messageOf(thrown)}`,
    { cause: thrown, details: { dataDir, code: code ?? null } },
  );
}

function programError(
  options: InitDataOptions,
  { name, result }: { name: string; result: ProgramResult },
): UnderstudyError {
  const lines = result.stderr
    .split("\n")
    .map((line) => line.trim())
    // What it removed on its way out says nothing about why it failed.
    .filter((line) => line !== "" && !/^initdb: (warning|removing|data directory)/.test(line));
  const said = lines.slice(-SAID_LINES).join("; ");
  const full = /No space left on device|Disk quota exceeded/.test(result.stderr);
  return new UnderstudyError(
    full ? "DISK_FULL" : "INITDB_FAILED",
    `cannot make a data directory at ${options.dataDir}: ${name} ${
      result.signal === null
        ? `ended with status ${result.status}`
        : `was ended by ${result.signal}`
    }${said === "" ? "" : `: ${said}`}`,
    { details: { dataDir: options.dataDir, status: result.status, stderr: lines.slice(-20) } },
  );
}
