// The project's own files as text, for the rules in this folder: what git knows or would know, so
// that no rule looks into node_modules or at a stray file of somebody's editor.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

export interface SourceFile {
  /** From the repository's root, with "/". */
  readonly path: string;
  readonly text: string;
}

/** Every file of the project whose name ends so. */
export function filesEndingIn(...endings: readonly string[]): SourceFile[] {
  return allPaths()
    .filter((path) => endings.some((ending) => path.endsWith(ending)))
    .map((path) => ({ path, text: read(path) }));
}

export function read(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

function allPaths(): string[] {
  const args = ["-c", `safe.directory=${ROOT.replace(/\/$/, "")}`, "ls-files", "-z"];
  const known = execFileSync("git", [...args, "--cached", "--others", "--exclude-standard"], {
    cwd: ROOT,
    encoding: "utf8",
  });
  return [...new Set(known.split("\0"))]
    .filter((path) => path !== "" && existsSync(join(ROOT, path)))
    .sort();
}
