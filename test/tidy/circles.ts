// Circles of imports between files. Imports of types alone are erased and make none.
import { importsOf } from "./imports.ts";
import type { SourceFile } from "./source-tree.ts";

/** Each circle once, as the files on the way round. */
export function circlesIn(files: readonly SourceFile[]): string[][] {
  const graph = new Map(files.map((file) => [file.path, targetsOf(file)]));
  const done = new Set<string>();
  const circles: string[][] = [];
  const visit = (path: string, way: readonly string[]) => {
    const start = way.indexOf(path);
    if (start !== -1) circles.push([...way.slice(start), path]);
    if (start !== -1 || done.has(path)) return;
    for (const target of graph.get(path) ?? []) visit(target, [...way, path]);
    done.add(path);
  };
  for (const path of graph.keys()) visit(path, []);
  return circles;
}

function targetsOf(file: SourceFile): string[] {
  return importsOf(file)
    .filter(({ kind, typeOnly }) => kind === "file" && !typeOnly)
    .map(({ target }) => target);
}
