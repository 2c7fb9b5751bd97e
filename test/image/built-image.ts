// The image, built by the command that everybody uses, once for the tests of a file.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const BUILDER = fileURLToPath(new URL("../../image/build.ts", import.meta.url));
const LIMIT_MS = 400_000;

export function buildImage(args: readonly string[]): {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
} {
  return spawnSync(process.execPath, [BUILDER, ...args], { encoding: "utf8", timeout: LIMIT_MS });
}

/** The image's files in a new directory below `parent`. @returns it. */
export function buildTree(parent: string): string {
  const tree = join(parent, "image");
  const { status, stderr } = buildImage(["--tree", tree]);
  assert.equal(status, 0, stderr);
  return tree;
}
