// What is printed when a command fails: what was being done and why not, then what to do now. Never
// a stack trace, unless UNDERSTUDY_DEBUG=1 asks for it.
import { UnderstudyError, messageOf } from "../../core/errors.ts";
import { inspect } from "../node-text.ts";
import { isForPrograms, type OutputFormat } from "./document.ts";
import { mark, paint, type Look } from "./look.ts";
import { harmless, wrap } from "./text.ts";

/** Everything that was thrown as one of our errors; what is not ours is our own mistake. */
export function asUnderstudyError(thrown: unknown): UnderstudyError {
  if (thrown instanceof UnderstudyError) return thrown;
  const aborted = thrown instanceof Error && thrown.name === "AbortError";
  if (aborted)
    return new UnderstudyError("INTERRUPTED", "the command was interrupted", { cause: thrown });
  return new UnderstudyError("INTERNAL", `something unexpected happened: ${messageOf(thrown)}`, {
    cause: thrown,
  });
}

export function renderError(
  error: UnderstudyError,
  to: { format: OutputFormat; look: Look; debug: boolean },
): string {
  if (isForPrograms(to.format)) {
    const { code, message, hint, details } = error.toJSON();
    const trace = to.debug ? { stack: inspect(error) } : {};
    return `${JSON.stringify({ code, message, hint, details, ...trace })}\n`;
  }
  const { look } = to;
  const lines = [
    wrapped(
      `${paint(look, "bad", `${mark(look, "cross")} error`)}: ${visible(error.message)}`,
      look,
    ),
    ...excerptLines(error),
    ...(error.hint === ""
      ? []
      : [wrapped(`  ${paint(look, "dim", "hint:")} ${visible(error.hint)}`, look)]),
    ...(to.debug ? ["", inspect(error, { colors: look.colour })] : []),
  ];
  return `${lines.join("\n")}\n`;
}

/** The place of a mistake in a statement: a line and a caret below it. */
function excerptLines(error: UnderstudyError): string[] {
  const { excerpt } = error.details;
  return typeof excerpt === "string" ? [`  ${visible(excerpt)}`] : [];
}

/** Between words on a terminal; the statement and its caret keep their columns. */
function wrapped(text: string, look: Look): string {
  return text
    .split("\n")
    .map((line) => wrap(line, { width: look.width, indent: "    " }))
    .join("\n");
}

/** A server's message may hold anything: only its line breaks are kept. */
function visible(text: string): string {
  return text
    .split("\n")
    .map((line) => harmless(line))
    .join("\n  ");
}
