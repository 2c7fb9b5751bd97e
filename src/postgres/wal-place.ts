// WAL on a volume of its own: `pg_wal` of a data directory leads there by a link, to a directory
// that no other data directory has, so that data can be moved aside, copied anew and removed as if
// its WAL were in it. It is put there before a start, while nothing runs on the data; initdb, a
// base backup and pg_rewind know nothing of it.
import { randomBytes } from "node:crypto";
import { cp, lstat, mkdir, readdir, readlink, rename, rm, symlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { UnderstudyError, codeOf, messageOf } from "../core/errors.ts";
import { syncDirectory } from "./sync-directory.ts";
import { syncTree } from "./sync-tree.ts";

export interface WalPlace {
  readonly dataDir: string;
  /** Absolute: of this member alone. */
  readonly walRoot: string;
}

const PREFIX = "wal-";
/** The link, before it has its name; and what is moved, until the link has it. */
const NEXT = "pg_wal.placed";
const FORMER = "pg_wal.moved";

/**
 * To be called while no process uses the data. Again after any end of it in between: the WAL is
 * whole in one of two places at each moment.
 * @throws UnderstudyError DISK_FULL, DATA_UNREADABLE where the WAL is not where the link leads.
 */
export async function placeWal(place: WalPlace, signal: AbortSignal): Promise<void> {
  const { dataDir, walRoot } = place;
  await mendWalPlace(dataDir);
  const present = await kindOf(join(dataDir, "pg_wal"));
  if (present === "none") return;
  if (present === "link") return requireTarget(dataDir);
  const target = join(walRoot, `${PREFIX}${randomBytes(6).toString("hex")}`);
  try {
    await mkdir(target, { mode: 0o700 });
    await cp(join(dataDir, "pg_wal"), target, { recursive: true, preserveTimestamps: true });
    await syncTree(target, signal);
    await syncDirectory(walRoot);
    await symlink(target, join(dataDir, NEXT));
    await syncDirectory(dataDir);
  } catch (thrown) {
    await rm(join(dataDir, NEXT), { force: true });
    await rm(target, { recursive: true, force: true });
    throw failure(place, thrown);
  }
  await rename(join(dataDir, "pg_wal"), join(dataDir, FORMER));
  // The link has its name then, as after any other end of this.
  await mendWalPlace(dataDir);
}

/**
 * Ends what placeWal had begun when it was cut off; nothing else is changed. Before anybody looks
 * at the data: for a moment there is no `pg_wal`.
 */
export async function mendWalPlace(dataDir: string): Promise<void> {
  const [present, next, former] = await Promise.all(
    ["pg_wal", NEXT, FORMER].map((name) => kindOf(join(dataDir, name))),
  );
  if (present !== "none") {
    // Before the first rename, or after the second one.
    if (next === "link") await rm(join(dataDir, NEXT));
    if (former === "directory" && present === "link") {
      await requireTarget(dataDir);
      await rm(join(dataDir, FORMER), { recursive: true });
    }
    return;
  }
  if (next !== "link" && former !== "directory") return;
  // All of it was on disk before the first rename.
  await rename(join(dataDir, next === "link" ? NEXT : FORMER), join(dataDir, "pg_wal"));
  await syncDirectory(dataDir);
  await rm(join(dataDir, FORMER), { recursive: true, force: true });
}

/**
 * Removes WAL to which no data directory of this member leads any more. Nothing where that is not
 * certain.
 * @param of.memberRoot below it are its data, copies that are made, and what was kept
 */
export async function sweepWal(of: { memberRoot: string; walRoot: string }): Promise<void> {
  const wanted = await linkedFrom(of.memberRoot);
  const there = (await readdir(of.walRoot)).filter((name) => name.startsWith(PREFIX));
  for (const name of there)
    if (!wanted.has(name)) await rm(join(of.walRoot, name), { recursive: true, force: true });
}

/** The last parts of where the links lead: the volume may have been mounted at another path. */
async function linkedFrom(memberRoot: string): Promise<Set<string>> {
  const kept = join(memberRoot, "kept");
  const directories = [
    ...(await readdir(memberRoot)).map((name) => join(memberRoot, name)),
    ...(await entriesOf(kept)).map((name) => join(kept, name, "data")),
  ];
  const links = directories.flatMap((each) => ["pg_wal", NEXT].map((name) => join(each, name)));
  const targets = await Promise.all(links.map((link) => targetOf(link)));
  return new Set(targets.filter((each) => each !== null).map((each) => basename(each)));
}

async function entriesOf(directory: string): Promise<string[]> {
  return readdir(directory).catch((thrown: unknown) => {
    if (codeOf(thrown) === "ENOENT") return [];
    throw thrown;
  });
}

/** Null where it is no link, or is not there. */
async function targetOf(link: string): Promise<string | null> {
  return readlink(link).catch((thrown: unknown) => {
    if (["ENOENT", "EINVAL", "ENOTDIR"].includes(codeOf(thrown) ?? "")) return null;
    throw thrown;
  });
}

async function kindOf(path: string): Promise<"none" | "link" | "directory"> {
  try {
    return (await lstat(path)).isSymbolicLink() ? "link" : "directory";
  } catch (thrown) {
    if (codeOf(thrown) === "ENOENT") return "none";
    throw thrown;
  }
}

async function requireTarget(dataDir: string): Promise<void> {
  const link = join(dataDir, "pg_wal");
  try {
    await readdir(link);
  } catch (cause) {
    const target = await readlink(link).catch(() => "?");
    throw new UnderstudyError(
      "DATA_UNREADABLE",
      `the WAL of ${dataDir} is not at ${target}, where it was put: ${messageOf(cause)}`,
      { cause, details: { dataDir, target, code: codeOf(cause) ?? null } },
    );
  }
}

function failure({ dataDir, walRoot }: WalPlace, cause: unknown): unknown {
  const code = codeOf(cause);
  if (code !== "ENOSPC" && code !== "EDQUOT") return cause;
  return new UnderstudyError(
    "DISK_FULL",
    `cannot move the WAL of ${dataDir} to ${walRoot}: ${messageOf(cause)}`,
    { cause, details: { dataDir: dirname(dataDir), code } },
  );
}
