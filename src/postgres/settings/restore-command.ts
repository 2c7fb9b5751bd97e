// The command by which a server in recovery looks for WAL in its member's spool, where a rescue
// puts what a dead primary's disk still held (src/postgres/wal-rescue). The same from the first
// start on: up to 13 a change of it waits for a restart (manual of 13, 19.5.4).
import { UnderstudyError } from "../../core/errors.ts";

/** Up to 15 the server cuts a longer command off without a word (MAXPGPATH, 1024 with its NUL). */
const COMMAND_BYTES = 1023;
/** The longest that the server puts in place of %f and %p. */
const LONGEST_NAME = "000000010000000000000001";
const LONGEST_PATH = "pg_wal/RECOVERYHISTORY";

/**
 * It runs several times in each wal_retrieve_retry_interval while nothing streams, nearly always in
 * vain: so an absent file costs one shell with a builtin, and not a word in the log. The path
 * stands in it once, because its length is limited.
 *
 * Every failure becomes status 1, "not there", which is tried again. Without that a cp that is
 * missing (127) or is killed (above 128) would end the whole server: "recovery will abort" (manual,
 * 25.3.4).
 * @throws UnderstudyError PARAMETER_INVALID for a path that is too long.
 */
export function renderRestoreCommand(spoolDir: string): string {
  const expanded = commandFor(spoolDir).replace("%f", LONGEST_NAME).replace("%p", LONGEST_PATH);
  const bytes = Buffer.byteLength(expanded);
  if (bytes > COMMAND_BYTES)
    throw new UnderstudyError(
      "PARAMETER_INVALID",
      `cannot set restore_command for the directory ${spoolDir}: PostgreSQL takes ${COMMAND_BYTES} bytes, and it would have ${bytes}`,
      { details: { spoolDir, bytes }, hint: "Choose a shorter directory with --dir." },
    );
  // The server's own placeholder character is doubled (manual, 20.5.5).
  return commandFor(spoolDir.replaceAll("%", "%%"));
}

function commandFor(directory: string): string {
  return `from=${quoteShell(`${directory}/%f`)}; test -f "$from" && { cp "$from" %p || exit 1; }`;
}

/** One word for sh: between single quotes only the quote itself means anything. */
function quoteShell(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
