// What a file imports, read from its text by a regular expression: oxfmt writes every import in one
// shape.
import { posix } from "node:path";
import type { SourceFile } from "./source-tree.ts";

export interface Import {
  /** As it is written. */
  readonly specifier: string;
  readonly kind: "file" | "package" | "node";
  /** For a file: its path from the root; for a package: its name without a path inside. */
  readonly target: string;
  /** Erased before anything runs, so it can make no circle. */
  readonly typeOnly: boolean;
  /** Loaded when it comes to that, by import(). */
  readonly isLater: boolean;
}

const FROM =
  /^(?<what>import|export)\s+(?<types>type\s)?(?:[^;"']*?\sfrom\s+)?"(?<specifier>[^"]+)"/gm;
const DYNAMIC = /\bimport\(\s*"(?<specifier>[^"]+)"/g;

export function importsOf(file: SourceFile): Import[] {
  const code = withoutComments(file.text);
  return [
    ...Array.from(code.matchAll(FROM), (match) => importOf(file.path, match, { isLater: false })),
    ...Array.from(code.matchAll(DYNAMIC), (match) => importOf(file.path, match, { isLater: true })),
  ];
}

function importOf(
  from: string,
  { groups }: Pick<RegExpMatchArray, "groups">,
  { isLater }: Pick<Import, "isLater">,
): Import {
  const specifier = groups?.["specifier"] ?? "";
  const typeOnly = groups?.["types"] !== undefined;
  if (specifier.startsWith("."))
    return {
      specifier,
      kind: "file",
      target: posix.join(posix.dirname(from), specifier),
      typeOnly,
      isLater,
    };
  if (specifier.startsWith("node:"))
    return { specifier, kind: "node", target: specifier, typeOnly, isLater };
  const parts = specifier.split("/");
  const target = parts.slice(0, specifier.startsWith("@") ? 2 : 1).join("/");
  return { specifier, kind: "package", target, typeOnly, isLater };
}

/**
 * Comments that stand on lines of their own or at the end of one; a "//" inside of a string stays.
 */
export function withoutComments(text: string): string {
  return text
    .replaceAll(/^\s*\/\*[^]*?\*\//gm, "")
    .replaceAll(/(?:^|\s)\/\/[^"'`\n]*$/gm, "")
    .replaceAll(/^\s*\/\/.*$/gm, "");
}
