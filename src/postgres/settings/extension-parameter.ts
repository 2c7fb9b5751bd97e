// Parameters of extensions, "pg_stat_statements.max": the server takes any such name for a
// placeholder, so what can be known is checked here: that the library is preloaded, and, from a
// running server's rows, name and value.
import { UnderstudyError } from "../../core/errors.ts";
import { type ParameterDescription, describeRange } from "./describe-parameters.ts";

/** Extensions whose parameters do not begin with the name of their library. */
const LIBRARY_OF_PREFIX: ReadonlyMap<string, string> = new Map([["cron", "pg_cron"]]);

/**
 * A procedural language's library is loaded where it is used, always there, and needs no preload.
 */
const NEVER_PRELOADED = new Set(["plpgsql"]);

/** @throws UnderstudyError PARAMETER_UNKNOWN or PARAMETER_INVALID. */
export function checkExtensionParameter(parameter: {
  readonly name: string;
  readonly value: string;
  readonly preload: readonly string[];
  /** From a running server that has the library; undefined: nothing more can be known now. */
  readonly description: ParameterDescription | undefined;
}): void {
  const { name, value, preload, description } = parameter;
  const prefix = name.slice(0, name.indexOf(".")).toLowerCase();
  const library = LIBRARY_OF_PREFIX.get(prefix) ?? prefix;
  if (!preload.includes(library) && !NEVER_PRELOADED.has(library))
    throw new UnderstudyError(
      "PARAMETER_UNKNOWN",
      `${name} belongs to a library that is not preloaded: "${library}" is not among ${preload.length === 0 ? "none" : preload.join(", ")}`,
      { details: { name, library }, hint: `Preload it: --preload ${library}` },
    );
  if (description === undefined || accepts(description, value)) return;
  throw new UnderstudyError(
    "PARAMETER_INVALID",
    `cannot set ${name} to ${JSON.stringify(value)}: it takes ${describeRange(description)}`,
    { details: { name, given: value, type: description.type } },
  );
}

/** As the server reads values (manual, 20.1.1); a number with a unit is left to it. */
export function accepts(description: ParameterDescription, value: string): boolean {
  const text = value.trim();
  switch (description.type) {
    case "bool":
      return isBoolean(text);
    case "enum":
      return (
        description.values === null ||
        description.values.some((word) => word.toLowerCase() === text.toLowerCase())
      );
    case "integer":
    case "real":
      return acceptsNumber(description, text);
    default:
      return true;
  }
}

function isBoolean(text: string): boolean {
  const word = text.toLowerCase();
  if (word === "o" || word === "") return false;
  return ["true", "false", "yes", "no", "on", "off", "1", "0"].some((full) =>
    full.startsWith(word),
  );
}

function acceptsNumber(description: ParameterDescription, text: string): boolean {
  const [, digits, unit] =
    /^([+-]?(?:0x[0-9a-f]+|\d+(?:\.\d*)?(?:e[+-]?\d+)?|\.\d+))\s*(B|kB|MB|GB|TB|us|ms|s|min|h|d)?$/i.exec(
      text,
    ) ?? [];
  if (digits === undefined) return false;
  if (unit !== undefined) return description.unit !== null;
  const number = Number(digits);
  const min = description.min === null ? -Infinity : Number(description.min);
  const max = description.max === null ? Infinity : Number(description.max);
  return number >= min && number <= max;
}
