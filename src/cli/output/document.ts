// One answer in the form that was asked for: a table for people, JSON or YAML for programs, bare
// names for pipes.
import { UnderstudyError } from "../../core/errors.ts";
import type { Look } from "./look.ts";

export const OUTPUT_FORMATS = ["table", "wide", "json", "yaml", "name"] as const;
export type OutputFormat = (typeof OUTPUT_FORMATS)[number];

/** @throws UnderstudyError USAGE naming the formats. */
export function parseOutputFormat(text: string): OutputFormat {
  const format = OUTPUT_FORMATS.find((each) => each === text);
  if (format !== undefined) return format;
  throw new UnderstudyError(
    "USAGE",
    `${JSON.stringify(text)} is no output format: choose one of ${OUTPUT_FORMATS.join(", ")}`,
  );
}

/** Programs read it: nothing but the document may be on stdout, and errors are documents too. */
export function isForPrograms(format: OutputFormat): boolean {
  return format === "json" || format === "yaml";
}

export interface Answer {
  /** The whole truth, in the shape that the reference documents. */
  readonly document: unknown;
  readonly table: (look: Look, wide: boolean) => string;
  /** One line each for `-o name`. */
  readonly names: () => readonly string[];
}

/** @returns text that ends with a newline, or nothing at all where there is nothing to say. */
export async function formatAnswer(
  answer: Answer,
  to: { format: OutputFormat; look: Look },
): Promise<string> {
  const text = await formatted(answer, to);
  return text === "" || text.endsWith("\n") ? text : `${text}\n`;
}

async function formatted(
  answer: Answer,
  to: { format: OutputFormat; look: Look },
): Promise<string> {
  switch (to.format) {
    case "json":
      return JSON.stringify(answer.document, null, 2);
    case "yaml": {
      const { stringify } = await import("yaml");
      // Through JSON first, so that both formats say the same and secrets are "***" in both.
      return stringify(JSON.parse(JSON.stringify(answer.document)));
    }
    case "name":
      return answer.names().join("\n");
    case "wide":
      return answer.table(to.look, true);
    case "table":
      return answer.table(to.look, false);
  }
}
