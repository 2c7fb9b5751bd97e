// The environment of PostgreSQL's own programs.

/** The last two say where a system without the usual places has its locales (glibc, NixOS). */
const KEPT = new Set(["TZ", "TZDIR", "TMPDIR", "LD_LIBRARY_PATH", "LOCPATH", "LOCALE_ARCHIVE"]);

/**
 * English messages, where to find programs and time zones, and nothing else of ours: no secret,
 * nothing for libpq.
 */
export function serverEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { PATH, ...rest } = env;
  const kept = Object.entries(rest).filter(([name]) => KEPT.has(name));
  return {
    PATH: PATH ?? "/usr/bin:/bin",
    LC_ALL: "C",
    ...Object.fromEntries(kept),
  };
}
