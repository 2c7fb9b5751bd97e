// Reading values off the command line: each mistake is one clear sentence, before anything is
// touched.
import { UnderstudyError } from "../core/errors.ts";
import { checkMemberName } from "../core/name.ts";
import { MAX_STANDBYS, SUPPORTED_MAJORS, isMajor, type Major } from "../core/spec.ts";

/**
 * Above it the kernel takes ports for outgoing connections, and agents listen a thousand higher.
 */
const MAX_PORT = 31_767;
const DURATION_UNITS = { ms: 1, s: 1000, m: 60_000, min: 60_000, h: 3_600_000 } as const;
const MAX_DURATION_MS = 7 * 24 * 3_600_000;

/** @throws UnderstudyError USAGE. */
export function parseStandbys(text: string): number {
  return wholeNumber(text, { what: "--standbys", from: 0, to: MAX_STANDBYS });
}

/** @throws UnderstudyError USAGE. */
export function parseRequired(text: string): number {
  return wholeNumber(text, { what: "--required", from: 1, to: MAX_STANDBYS });
}

/** @throws UnderstudyError USAGE. */
export function parsePort(text: string): number {
  return wholeNumber(text, { what: "--port", from: 1024, to: MAX_PORT });
}

/** @throws UnderstudyError USAGE. */
export function parseLines(text: string): number {
  return wholeNumber(text, { what: "--lines", from: 0, to: 1_000_000 });
}

/** @throws UnderstudyError USAGE. */
export function parseRounds(text: string): number {
  return wholeNumber(text, { what: "--rounds", from: 1, to: 1_000 });
}

/** Of a member that need not be named. @throws UnderstudyError NAME_INVALID. */
export function parseMember(text: string | undefined): string | null {
  return text === undefined ? null : checkMemberName(text);
}

/** "15", and "15.18" for people who paste a version. @throws UnderstudyError MAJOR_UNKNOWN. */
export function parseMajor(text: string): Major {
  const major = /^(\d{1,3})(\.\d+)?$/.exec(text)?.[1];
  if (major !== undefined && isMajor(Number(major))) return Number(major) as Major;
  throw new UnderstudyError(
    "MAJOR_UNKNOWN",
    `${JSON.stringify(text)} is no PostgreSQL major version that Understudy knows`,
    { hint: `Choose one of ${SUPPORTED_MAJORS.join(", ")}.` },
  );
}

/**
 * "500ms", "30s", "5m", "1h"; a bare number is seconds. @returns milliseconds. @throws
 * UnderstudyError USAGE.
 */
export function parseDuration(text: string): number {
  const match = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|min|m|h)?$/.exec(text);
  if (match) {
    const unit = (match[2] ?? "s") as keyof typeof DURATION_UNITS;
    const ms = Number(match[1]) * DURATION_UNITS[unit];
    if (ms > 0 && ms <= MAX_DURATION_MS) return ms;
  }
  throw new UnderstudyError(
    "USAGE",
    `${JSON.stringify(text)} is no duration: write one such as 500ms, 30s, 5m or 1h, up to 7 days`,
  );
}

/** Collects "name=value" of a repeated option. @throws UnderstudyError USAGE. */
export function parseParameter(
  text: string,
  earlier: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const at = text.indexOf("=");
  const name = text.slice(0, at).trim();
  if (at === -1 || !/^[A-Za-z_][A-Za-z0-9_.]*$/.test(name))
    throw new UnderstudyError(
      "USAGE",
      `${JSON.stringify(text)} is no setting: write name=value, such as work_mem=64MB`,
    );
  return { ...earlier, [name.toLowerCase()]: text.slice(at + 1).trim() };
}

/** "a,b" of a repeated option. @throws UnderstudyError USAGE. */
export function parsePreload(text: string, earlier: readonly string[] = []): string[] {
  const names = text.split(",").map((name) => name.trim());
  const strange = names.find((name) => !/^[A-Za-z0-9_-]+$/.test(name));
  if (strange !== undefined)
    throw new UnderstudyError("USAGE", `${JSON.stringify(strange)} is no library's name`, {
      hint: "Give the plain name, as in: --preload pg_stat_statements",
    });
  return [...new Set([...earlier, ...names])];
}

/**
 * For a name or a place: an empty one is an unset variable of the caller's. @throws UnderstudyError
 * USAGE.
 */
export function parseNotEmpty(text: string): string {
  if (text !== "") return text;
  throw new UnderstudyError("USAGE", "an option's value is empty", {
    hint: "Is a variable unset? Give a value, or leave the option away.",
  });
}

function wholeNumber(text: string, range: { what: string; from: number; to: number }): number {
  const value = /^[+-]?\d{1,12}$/.test(text) ? Number(text) : null;
  if (value !== null && value >= range.from && value <= range.to) return value;
  throw new UnderstudyError(
    "USAGE",
    `${range.what} ${JSON.stringify(text)} is no whole number from ${range.from} to ${range.to}`,
  );
}
