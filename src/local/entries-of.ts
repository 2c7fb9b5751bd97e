// What is in a directory, where "nothing" decides whether something is removed: only one that is
// not there counts as empty.
import { readdir } from "node:fs/promises";
import { UnderstudyError, codeOf, messageOf } from "../core/errors.ts";

/**
 * Nothing where there is no such directory.
 * @throws UnderstudyError DATA_UNREADABLE when it cannot be read.
 */
export async function entriesOf(dir: string): Promise<string[]> {
  try {
    return await readdir(dir);
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return [];
    throw new UnderstudyError("DATA_UNREADABLE", `cannot read ${dir}: ${messageOf(cause)}`, {
      cause,
      details: { path: dir, code: codeOf(cause) ?? null },
    });
  }
}
