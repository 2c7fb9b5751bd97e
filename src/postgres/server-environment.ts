// The environment of PostgreSQL's own programs.

/** English messages, where to find programs and time zones, and nothing else of ours: no secret, nothing for libpq. */
export function serverEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { PATH, TZ, TZDIR, TMPDIR, LD_LIBRARY_PATH } = env;
  return {
    PATH: PATH ?? "/usr/bin:/bin",
    LC_ALL: "C",
    ...(TZ === undefined ? {} : { TZ }),
    ...(TZDIR === undefined ? {} : { TZDIR }),
    ...(TMPDIR === undefined ? {} : { TMPDIR }),
    ...(LD_LIBRARY_PATH === undefined ? {} : { LD_LIBRARY_PATH }),
  };
}
