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
  const inOrder = [
    ...[...code.matchAll(FROM)].map(({ groups }) => ({ groups, isLater: false })),
    ...[...code.matchAll(DYNAMIC)].map(({ groups }) => ({ groups, isLater: true })),
  ];
  return inOrder.map(({ groups, isLater }) => {
    const how = { typeOnly: groups?.["types"] !== undefined, isLater };
    return { ...targetOf(file.path, groups?.["specifier"] ?? ""), ...how };
  });
}

function targetOf(from: string, specifier: string): Pick<Import, "specifier" | "kind" | "target"> {
  if (specifier.startsWith("."))
    return {
      specifier,
      kind: "file",
      target: posix.join(posix.dirname(from), specifier),
    };
  if (specifier.startsWith("node:")) return { specifier, kind: "node", target: specifier };
  const parts = specifier.split("/");
  const target = parts.slice(0, specifier.startsWith("@") ? 2 : 1).join("/");
  return { specifier, kind: "package", target };
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
