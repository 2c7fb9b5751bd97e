// Quoting for the four languages that a value passes through on its way into a server:
// postgresql.conf (and recovery.conf), connection strings, passfiles and pg_hba.conf. What a
// language cannot say is refused, never bent.
import { UnderstudyError } from "../../core/errors.ts";

/**
 * @returns the value as a quoted postgresql.conf string (manual, 20.1.2). Line breaks cannot be
 * written there.
 */
export function quoteSetting(value: string): string {
  refuseLineBreaks(value, "a setting");
  return `'${value.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`;
}

/** What quoteSetting has made, back. */
export function unquoteSetting(quoted: string): string {
  return quoted.slice(1, -1).replaceAll("''", "'").replaceAll("\\\\", "\\");
}

/** @returns the value as libpq reads it in `key='value'` (manual, 32.1.1.1). */
export function quoteConninfo(value: string): string {
  refuseLineBreaks(value, "a connection string");
  return `'${value.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

/** @returns the value as a field of a passfile (manual, 32.16): ":" and "\" take a backslash. */
export function escapePassfileField(value: string): string {
  refuseLineBreaks(value, "a passfile");
  return value.replaceAll("\\", "\\\\").replaceAll(":", "\\:");
}

/**
 * @returns the name in the double quotes that take the meaning of "all" or "replication" from it
 * (manual, 21.1). A leading "/" or "+" keeps its meaning even in quotes, and older majors have no
 * way to write a quote: refused.
 */
export function quoteHbaName(name: string): string {
  refuseLineBreaks(name, "pg_hba.conf");
  if (/^[/+@]|["]/.test(name) || name === "")
    throw new UnderstudyError(
      "INTERNAL",
      `${JSON.stringify(name)} cannot be written in pg_hba.conf as a plain name`,
    );
  return `"${name}"`;
}

function refuseLineBreaks(value: string, place: string): void {
  if (!/[\n\r\0]/.test(value)) return;
  throw new UnderstudyError(
    "PARAMETER_INVALID",
    `${place} cannot hold a line break or a NUL character: ${JSON.stringify(value)}`,
    { hint: "Write the value on one line." },
  );
}
