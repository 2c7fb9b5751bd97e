// What a server knows about its parameters: by its binaries (`postgres --describe-config`, which
// needs no data and may run as root), or by the rows of a running server's pg_settings, which also
// know extensions and units.
import { join } from "node:path";
import { UnderstudyError } from "../../core/errors.ts";
import type { Installation } from "../installation.ts";
import { runProgram } from "../run-program.ts";
import { serverEnvironment } from "../server-environment.ts";

export interface ParameterDescription {
  /** As the server spells it: "TimeZone". */
  readonly name: string;
  readonly type: "bool" | "enum" | "integer" | "real" | "string";
  /** As in pg_settings: a change of "postmaster" waits for a restart. */
  readonly context: string;
  /** Of a number without a unit: "kB", "8kB", "ms"; null where there is none or it is not known. */
  readonly unit: string | null;
  readonly min: string | null;
  readonly max: string | null;
  /** Of an enum, where known. */
  readonly values: readonly string[] | null;
}

/** By name in lower case: the server does not regard case either. */
export type ParameterCatalog = ReadonlyMap<string, ParameterDescription>;

/** One row of pg_settings, with these columns. */
export interface SettingsRow {
  readonly name: string;
  readonly vartype: string;
  readonly context: string;
  readonly unit: string | null;
  readonly min_val: string | null;
  readonly max_val: string | null;
  readonly enumvals: readonly string[] | null;
}

/** What to ask a running server for; see catalogFromRows. */
export const SETTINGS_QUERY =
  "SELECT name, vartype, context, unit, min_val, max_val, enumvals FROM pg_catalog.pg_settings";

/** @throws UnderstudyError POSTGRES_UNUSABLE when the binary does not describe itself. */
export async function describeParameters(
  installation: Installation,
  options: { signal?: AbortSignal } = {},
): Promise<ParameterCatalog> {
  const result = await runProgram({
    program: join(installation.binDir, "postgres"),
    args: ["--describe-config"],
    env: serverEnvironment(process.env),
    timeoutMs: 10_000,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  const catalog = parseDescribeConfig(result.stdout);
  if (result.status === 0 && catalog.size > 0) return catalog;
  throw new UnderstudyError(
    "POSTGRES_UNUSABLE",
    `${installation.binDir}/postgres does not list its parameters: ${result.stderr.trim()}`,
  );
}

/**
 * Lines of tab-separated fields: name, context, group, type, default, minimum, maximum, two texts.
 * The default is wrong for most (it is read before the defaults are set) and so not used.
 */
export function parseDescribeConfig(text: string): ParameterCatalog {
  const catalog = new Map<string, ParameterDescription>();
  for (const line of text.split("\n")) {
    const [name, context, , type, , min, max] = line.split("\t");
    if (name === undefined || context === undefined || type === undefined) continue;
    catalog.set(name.toLowerCase(), {
      name,
      type: typeOf(type),
      context,
      unit: null,
      min: nullIfEmpty(min),
      max: nullIfEmpty(max),
      values: null,
    });
  }
  return catalog;
}

export function catalogFromRows(rows: readonly SettingsRow[]): ParameterCatalog {
  return new Map(
    rows.map((row) => [
      row.name.toLowerCase(),
      {
        name: row.name,
        type: typeOf(row.vartype),
        context: row.context,
        unit: nullIfEmpty(row.unit),
        min: nullIfEmpty(row.min_val),
        max: nullIfEmpty(row.max_val),
        values: row.enumvals,
      },
    ]),
  );
}

/** "an integer from 64 to 2147483647 kB", for messages. */
export function describeRange(description: ParameterDescription): string {
  const { type, min, max, unit, values } = description;
  if (type === "bool") return "on or off";
  if (type === "enum")
    return values === null ? "one of a few words" : `one of ${values.join(", ")}`;
  if (type === "string") return "a text";
  const article = type === "integer" ? "an integer" : "a number";
  const range = min === null || max === null ? "" : ` from ${min} to ${max}`;
  return `${article}${range}${unit === null ? "" : ` in units of ${unit}`}`;
}

function typeOf(word: string): ParameterDescription["type"] {
  switch (word.toLowerCase()) {
    case "bool":
    case "boolean":
      return "bool";
    case "enum":
      return "enum";
    case "integer":
      return "integer";
    case "real":
      return "real";
    default:
      return "string";
  }
}

function nullIfEmpty(text: string | null | undefined): string | null {
  return text === undefined || text === null || text === "" ? null : text;
}
