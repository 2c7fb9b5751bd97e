// The real path of something that need not exist yet: links are followed as far as there is
// anything.
import { realpathSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";

/**
 * Absolute, without links, "." and ".."; what does not exist, or may not be seen, is taken as it is
 * written.
 */
export function realPathOf(path: string): string {
  const absolute = resolve(path);
  try {
    return realpathSync(absolute);
  } catch {
    const parent = dirname(absolute);
    return parent === absolute ? absolute : join(realPathOf(parent), basename(absolute));
  }
}
