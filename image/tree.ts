// A tree of files as data: what is in the image, before it is written anywhere. Everything belongs
// to root, is readable by everybody, and has one time, so that the same contents give the same
// bytes.
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";

export type Entry =
  | { readonly kind: "directory"; readonly path: string; readonly mode: number }
  | { readonly kind: "file"; readonly path: string; readonly mode: number; readonly bytes: Buffer }
  | { readonly kind: "link"; readonly path: string; readonly target: string };

/** Paths have no leading "/". */
export function file(path: string, bytes: Buffer | string): Entry {
  return { kind: "file", path, mode: 0o644, bytes: Buffer.from(bytes) };
}

export function program(path: string, bytes: Buffer | string): Entry {
  return { kind: "file", path, mode: 0o755, bytes: Buffer.from(bytes) };
}

/** Those files below a directory of this machine that are wanted. */
export function filesBelow(
  directory: string,
  { at, wanted }: { at: string; wanted: (path: string) => boolean },
): Entry[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((each) => each.isFile())
    .map((each) => join(each.parentPath, each.name).slice(directory.length + 1))
    .filter((path) => wanted(path))
    .map((path) => file(`${at}/${path}`, readFileSync(join(directory, path))));
}

/** Sorted, each once, with the directories that they are in. @throws Error for a path twice. */
export function completeTree(entries: readonly Entry[]): Entry[] {
  const all = new Map<string, Entry>();
  for (const entry of entries) {
    if (all.has(entry.path)) throw new Error(`${entry.path} is in the image twice`);
    all.set(entry.path, entry);
  }
  for (const entry of entries)
    for (let path = dirname(entry.path); path !== "."; path = dirname(path))
      if (!all.has(path)) all.set(path, { kind: "directory", path, mode: 0o755 });
  return [...all.values()].sort((one, other) => (one.path < other.path ? -1 : 1));
}

/** Into an empty directory; owned by whoever calls. @param entries complete. */
export function writeTree(entries: readonly Entry[], directory: string): void {
  for (const entry of entries) {
    const path = join(directory, entry.path);
    if (entry.kind === "link") symlinkSync(entry.target, path);
    else if (entry.kind === "directory") mkdirSync(path, { recursive: true });
    else writeFileSync(path, entry.bytes, { flag: "wx" });
    // The umask has taken its part.
    if (entry.kind !== "link") chmodSync(path, entry.mode);
  }
}

export function sizeOf(entries: readonly Entry[]): number {
  return entries.reduce((sum, each) => sum + (each.kind === "file" ? each.bytes.length : 0), 0);
}
