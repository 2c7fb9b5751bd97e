// What PostgreSQL said about a statement, as one of our errors: its message, SQLSTATE, and the
// place of the mistake.
import { UnderstudyError, codeOf, messageOf } from "../../core/errors.ts";

const READ_ONLY_SQL_TRANSACTION = "25006";
const INSUFFICIENT_PRIVILEGE = "42501";

/** @returns SQL_FAILED; what is one of our errors already stays as it is. */
export function sqlError(
  thrown: unknown,
  statement: { readonly text: string; readonly target: { readonly member: string } },
): UnderstudyError {
  if (thrown instanceof UnderstudyError) return thrown;
  const { member } = statement.target;
  const sqlstate = codeOf(thrown) ?? null;
  const position = positionOf(thrown);
  const place = position === null ? "" : `, at character ${position}`;
  const state = sqlstate === null ? "" : ` (SQLSTATE ${sqlstate}${place})`;
  return new UnderstudyError(
    "SQL_FAILED",
    `${member} refused the statement: ${messageOf(thrown)}${state}`,
    {
      cause: thrown,
      hint: hintOf(thrown, sqlstate),
      details: {
        sqlstate,
        position,
        ...(position === null ? {} : { excerpt: excerptAt(statement.text, position) }),
      },
    },
  );
}

/**
 * The line with the mistake and a caret below it, in psql's manner. Positions count characters from
 * 1, not
 * UTF-16 units.
 */
export function excerptAt(text: string, position: number): string {
  const before = [...text].slice(0, position - 1).join("");
  const lineNumber = before.split("\n").length;
  const line = text.split("\n")[lineNumber - 1] ?? "";
  const column = [...(before.split("\n").at(-1) ?? "")].length;
  const label = `LINE ${lineNumber}: `;
  return `${label}${line}\n${" ".repeat(label.length + column)}^`;
}

function positionOf(thrown: unknown): number | null {
  if (typeof thrown !== "object" || thrown === null || !("position" in thrown)) return null;
  const position = Number(thrown.position);
  return Number.isInteger(position) && position > 0 ? position : null;
}

function hintOf(thrown: unknown, sqlstate: string | null): string {
  if (sqlstate === READ_ONLY_SQL_TRANSACTION)
    return "A standby takes no writes: leave --read and --member away.";
  const parts = [textAt(thrown, "detail"), textAt(thrown, "hint")].filter((part) => part !== "");
  // The server says so of extensions that are not trusted, and of much else that only a superuser
  // may.
  const wantsSuperuser = /\bsuperuser\b/i.test([messageOf(thrown), ...parts].join(" "));
  if (sqlstate === INSUFFICIENT_PRIVILEGE && wantsSuperuser)
    parts.push("To run it as one, add --as-superuser.");
  return parts.join(" ");
}

function textAt(thrown: unknown, key: "detail" | "hint"): string {
  if (typeof thrown !== "object" || thrown === null || !(key in thrown)) return "";
  const value: unknown = Reflect.get(thrown, key);
  return typeof value === "string" ? value : "";
}
