// The answer of a statement as a table in psql's manner (numbers to the right, NULL shown), or as
// JSON.
import { harmless, displayWidth, padTo } from "../output/text.ts";
import { paint, type Look } from "../output/look.ts";
import { counted } from "../output/units.ts";

export interface ResultColumn {
  readonly name: string;
  /** PostgreSQL's type. */
  readonly typeOid: number;
}

/** One result set: rows as text, exactly as PostgreSQL wrote them. */
export interface StatementResult {
  /** "SELECT 3", "CREATE TABLE"; "" for an empty statement. */
  readonly tag: string;
  readonly columns: readonly ResultColumn[];
  readonly rows: readonly (readonly (string | null)[])[];
}

/** int2, int4, int8, oid, float4, float8, numeric, money: psql puts them to the right. */
const NUMBERS: ReadonlySet<number> = new Set([20, 21, 23, 26, 700, 701, 790, 1700]);
const NULL_TEXT = "NULL";

/** "" for a result without columns: its tag goes to stderr. */
export function renderResult(result: StatementResult, look: Look): string {
  if (result.columns.length === 0) return "";
  const cells = result.rows.map((row) =>
    row.map((value) => (value === null ? null : harmless(value))),
  );
  const widths = result.columns.map((column, at) =>
    Math.max(
      displayWidth(harmless(column.name)),
      ...cells.map((row) => displayWidth(row[at] ?? NULL_TEXT)),
    ),
  );
  const last = widths.length - 1;
  const pad = (text: string, at: number): string => {
    const align = NUMBERS.has(result.columns[at]?.typeOid ?? 0) ? "right" : "left";
    const padded = padTo(text, { width: widths[at] ?? 0, align });
    return at === last ? padded.trimEnd() : padded;
  };
  const rule = look.unicode ? "─" : "-";
  return [
    result.columns.map((column, at) => paint(look, "strong", pad(harmless(column.name), at))),
    widths.map((width) => paint(look, "dim", rule.repeat(width))),
    ...cells.map((row) =>
      row.map((value, at) =>
        value === null ? paint(look, "dim", pad(NULL_TEXT, at)) : pad(value, at),
      ),
    ),
  ]
    .map((row) => row.join("  ").trimEnd())
    .join("\n");
}

/** "(3 rows)" after a table, the command's tag after anything else. */
export function renderTag(result: StatementResult): string {
  if (result.columns.length > 0) return `(${counted(result.rows.length, "row")})`;
  return result.tag;
}

/**
 * The rows as objects by column name. Whole and real numbers that JavaScript holds exactly are
 * numbers, booleans
 * are booleans, json is itself; everything else stays the text that PostgreSQL wrote (an int8 or a
 * numeric would
 * lose digits).
 */
export function resultToJson(result: StatementResult): Record<string, unknown>[] {
  const names = uniqueNames(result.columns);
  return result.rows.map((row) =>
    Object.fromEntries(
      names.map((name, at) => [name, valueOf(row[at] ?? null, result.columns[at]?.typeOid ?? 0)]),
    ),
  );
}

function valueOf(text: string | null, typeOid: number): unknown {
  if (text === null) return null;
  switch (typeOid) {
    case 16:
      return text === "t";
    case 20:
      return Number.isSafeInteger(Number(text)) ? Number(text) : text;
    case 21:
    case 23:
    case 26:
      return Number(text);
    case 700:
    case 701:
      return Number.isFinite(Number(text)) ? Number(text) : text;
    case 114:
    case 3802:
      return JSON.parse(text);
    default:
      return text;
  }
}

/**
 * Two columns of one name ("?column?") become "?column?" and "?column?_2": an object has a key
 * once.
 */
function uniqueNames(columns: readonly ResultColumn[]): string[] {
  const used = new Set<string>();
  return columns.map(({ name }) => {
    let unique = name;
    for (let at = 2; used.has(unique); at += 1) unique = `${name}_${at}`;
    used.add(unique);
    return unique;
  });
}
