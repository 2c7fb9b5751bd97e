// Whether this system can make data with a locale, found out before anything is made.
import { join } from "node:path";
import { UnderstudyError } from "../core/errors.ts";
import { localeChoices } from "./init-data.ts";
import type { Installation } from "./installation.ts";
import { runProgram } from "./run-program.ts";
import { serverEnvironment } from "./server-environment.ts";

/** Where nothing can be made: initdb judges the locale before it looks at its directory. */
const NOWHERE = "/dev/null/data";
const LIMIT_MS = 30_000;

/** @throws UnderstudyError LOCALE_UNUSABLE with initdb's own words. */
export async function checkLocale(options: {
  readonly installation: Installation;
  readonly locale: string;
  /** Only root may set these, and initdb refuses root. */
  readonly uid?: number;
  readonly gid?: number;
  readonly signal?: AbortSignal;
}): Promise<void> {
  const { installation, locale, ...around } = options;
  let complaint: string | null = null;
  for (const { args } of localeChoices({ installation, locale })) {
    const { stderr } = await runProgram({
      program: join(installation.binDir, "initdb"),
      args: [`--pgdata=${NOWHERE}`, "--encoding=UTF8", ...args],
      env: serverEnvironment(process.env),
      cwd: "/",
      timeoutMs: LIMIT_MS,
      ...around,
    });
    complaint = complaintAboutLocale(stderr);
    if (complaint === null) return;
  }
  throw new UnderstudyError(
    "LOCALE_UNUSABLE",
    `PostgreSQL ${installation.version} cannot make data with the locale "${locale}": ${complaint ?? ""}`,
    { details: { locale } },
  );
}

/** Whatever else is wrong is said when the data is really made. */
function complaintAboutLocale(stderr: string): string | null {
  const lines = stderr
    .split("\n")
    .flatMap((line) => /^initdb: (?!warning|hint)(?:error: |detail: )?(.+)/.exec(line)?.[1] ?? []);
  return /locale|encoding/.test(lines.join(" ")) ? lines.join("; ") : null;
}
