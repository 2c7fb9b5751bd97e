// Getting a data directory out of the way of a fresh copy. What holds WAL that the cluster does not
// have is kept; a mere copy of the primary is removed. Both begin with one rename, so that a crash
// leaves no half of a directory in its place.
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { codeOf } from "../../core/errors.ts";
import type { Member } from "../member.ts";

/** Newest first; older ones give way, and an event says so. */
const KEPT_LIMIT = 3;
const REMOVED_PREFIX = "replaced-";

/**
 * Its tablespaces go with it: the next copy needs their place.
 * @returns where the directory is kept now. @throws Node's ENOENT when there is none.
 */
export async function keepData(member: Member): Promise<string> {
  const { kept, data, tablespaces } = member.paths;
  const place = join(kept, stamp());
  await mkdir(place, { recursive: true, mode: 0o700 });
  // The tablespaces first: a copy that begins between the two would clear them.
  await renameIfThere(tablespaces, join(place, "tablespaces"));
  await rename(data, join(place, "data"));
  await removeOldest(member);
  return place;
}

/**
 * For a directory of which everything is known to be in the primary's history. It stays until the
 * next copy is whole: until then it may be the only one beside the primary.
 */
export async function setCopyAside(member: Member): Promise<void> {
  const { root, data } = member.paths;
  await renameIfThere(data, join(root, `${REMOVED_PREFIX}${stamp()}`));
}

/** Once this member streams again. */
export async function removeCopiesAside(member: Member): Promise<void> {
  const { root } = member.paths;
  for (const name of await readdir(root))
    if (name.startsWith(REMOVED_PREFIX))
      await rm(join(root, name), { recursive: true, force: true });
}

async function renameIfThere(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (thrown) {
    if (codeOf(thrown) !== "ENOENT") throw thrown;
  }
}

async function removeOldest(member: Member): Promise<void> {
  const { kept } = member.paths;
  const names = (await readdir(kept)).toSorted().toReversed();
  for (const name of names.slice(KEPT_LIMIT)) {
    await rm(join(kept, name), { recursive: true, force: true });
    member.event({
      event: "kept-data-removed",
      level: "warning",
      message: `${join(kept, name)} was removed: ${member.name} keeps the ${KEPT_LIMIT} newest data directories that were set aside.`,
    });
  }
}

/** Names sort as their times do. */
function stamp(): string {
  return new Date().toISOString().replaceAll(/[:.]/g, "-");
}
