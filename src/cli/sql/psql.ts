// Hands the terminal over to the real psql. The password travels in the environment of that one
// process, never in its arguments, which every user of the machine can read.
import { spawn } from "node:child_process";
import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { UnderstudyError } from "../../core/errors.ts";
import type { Environment } from "../output/look.ts";
import type { SqlTarget } from "./run-statement.ts";

/** Where libpq would look for another server than ours (manual, 34.15). */
const CONNECTION_VARIABLES: ReadonlySet<string> = new Set([
  "PGHOSTADDR",
  "PGSERVICE",
  "PGSERVICEFILE",
  "PGPASSFILE",
  "PGTARGETSESSIONATTRS",
  "PGLOADBALANCEHOSTS",
  "PGSSLMODE",
  "PGSSLNEGOTIATION",
  "PGSSLCERT",
  "PGSSLKEY",
  "PGREQUIREPEER",
  "PGREQUIREAUTH",
  "PGCHANNELBINDING",
  "PGGSSENCMODE",
]);

/**
 * @returns psql's path: the cluster's own, else the one in PATH. @throws UnderstudyError
 * POSTGRES_NOT_FOUND.
 */
export async function findPsql(from: { binDir: string | null; env: Environment }): Promise<string> {
  const directories = [
    ...(from.binDir === null ? [] : [from.binDir]),
    ...(from.env["PATH"] ?? "").split(delimiter).filter((each) => each !== ""),
  ];
  for (const directory of directories) {
    const file = join(directory, "psql");
    if (await isExecutable(file)) return file;
  }
  throw new UnderstudyError(
    "POSTGRES_NOT_FOUND",
    "there is no psql beside the cluster's PostgreSQL and none in PATH",
    { hint: 'Use the built-in one: understudy sql "SELECT 1", or install postgresql-client.' },
  );
}

/**
 * The environment of psql: the user's own, pointed at our server. Arguments such as -d still win
 * over it.
 */
export function psqlEnvironment(target: SqlTarget, env: Environment): Record<string, string> {
  const kept = Object.entries(env).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined && !CONNECTION_VARIABLES.has(entry[0]),
  );
  return {
    ...Object.fromEntries(kept),
    PGHOST: target.host,
    PGPORT: String(target.port),
    PGUSER: target.user,
    PGDATABASE: target.database,
    PGPASSWORD: target.password.reveal(),
  };
}

/** @returns psql's own exit status. */
export async function runPsql(call: {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Record<string, string>;
}): Promise<number> {
  return await new Promise((resolve, reject) => {
    const child = spawn(call.file, call.args, { stdio: "inherit", env: call.env });
    child.once("error", (cause) =>
      reject(new UnderstudyError("POSTGRES_UNUSABLE", `${call.file} does not start`, { cause })),
    );
    child.once("exit", (status, signal) => resolve(signal === null ? (status ?? 1) : 130));
  });
}

async function isExecutable(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
