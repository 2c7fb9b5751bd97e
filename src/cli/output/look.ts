// How text may look on the stream that it goes to: its width, colour, and which characters it can
// show. A colour never says anything alone: a word and a symbol stand beside it.
import { styleText } from "../node-text.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Look {
  /** Columns of the terminal; null when it is no terminal: then nothing is dropped or cut. */
  readonly width: number | null;
  readonly colour: boolean;
  readonly unicode: boolean;
}

export const PLAIN: Look = { width: null, colour: false, unicode: false };

export type Tone = "good" | "warn" | "bad" | "dim" | "strong" | "plain";

const STYLES = {
  good: "green",
  warn: "yellow",
  bad: "red",
  dim: "dim",
  strong: "bold",
} as const;

/** done or well, at work, half-way, off, wrong. */
export type Mark = "check" | "full" | "half" | "empty" | "cross";

const MARKS: Readonly<Record<Mark, { readonly unicode: string; readonly ascii: string }>> = {
  check: { unicode: "✓", ascii: "+" },
  full: { unicode: "●", ascii: "*" },
  half: { unicode: "◐", ascii: "~" },
  empty: { unicode: "○", ascii: "o" },
  cross: { unicode: "✕", ascii: "x" },
};

export function mark(look: Look, name: Mark): string {
  return look.unicode ? MARKS[name].unicode : MARKS[name].ascii;
}

/** "·" or "-" between facts of one line. */
export function dot(look: Look): string {
  return look.unicode ? "·" : "-";
}

export function paint(look: Look, tone: Tone, text: string): string {
  if (!look.colour || tone === "plain" || text === "") return text;
  return styleText(STYLES[tone], text, { validateStream: false });
}

/** What is asked of a stream: the part of tty.WriteStream that matters. */
export interface OutputStream {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

/** `colour` is what the command line says: false for --no-color. */
export function lookOf(
  stream: OutputStream,
  from: { env: Environment; colour: boolean | undefined },
): Look {
  const { env } = from;
  const terminal = stream.isTTY === true;
  return {
    width: terminal ? (stream.columns ?? 80) : null,
    colour: from.colour !== false && wantsColour(env, terminal),
    unicode: showsUnicode(env),
  };
}

/** May lines be painted over? Not in CI, and not on a terminal that cannot move its cursor. */
export function isLive(stream: OutputStream, env: Environment): boolean {
  return stream.isTTY === true && env["TERM"] !== "dumb" && !isSet(env["CI"]);
}

/** no-color.org: any value that is not empty; it wins over FORCE_COLOR. */
function wantsColour(env: Environment, terminal: boolean): boolean {
  if (isSet(env["NO_COLOR"])) return false;
  const forced = env["FORCE_COLOR"];
  if (forced !== undefined) return forced !== "0" && forced !== "false";
  return terminal && env["TERM"] !== "dumb";
}

/** LC_ALL wins over LC_CTYPE, and that over LANG (POSIX, "Locale"). */
function showsUnicode(env: Environment): boolean {
  const locale = [env["LC_ALL"], env["LC_CTYPE"], env["LANG"]].find(isSet) ?? "";
  return /utf-?8/i.test(locale);
}

function isSet(value: string | undefined): value is string {
  return value !== undefined && value !== "";
}
