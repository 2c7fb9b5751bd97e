// Getting data out of the way of a rewind or a fresh copy. What holds WAL that the cluster does not
// have is kept: the WAL alone before a rewind, else the whole directory; a mere copy of the primary
// is removed. Each ends with one rename, so that a crash leaves no half of it in its place.
import { mkdir, readFile, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { codeOf } from "../../core/errors.ts";
import { copyWal, type WalPart } from "../../postgres/rewind/wal-copy.ts";
import { syncDirectory } from "../../postgres/sync-directory.ts";
import { writeWhole } from "../../postgres/write-whole.ts";
import type { Member } from "../member.ts";
import type { DivergenceReport } from "./divergence-report.ts";
import { keptName } from "./kept-name.ts";

/** Newest first; older ones give way, and an event says so. */
const KEPT_LIMIT = 3;
const REMOVED_PREFIX = "replaced-";
/** Of WAL that is being copied; what a crash leaves under such a name is worth nothing. */
const PARTIAL_SUFFIX = ".partial";
const REPORT = "report.json";

/**
 * Its tablespaces go with it: the next copy needs their place.
 * @returns where the directory is kept now. @throws Node's ENOENT when there is none.
 */
export async function keepData(member: Member): Promise<string> {
  const { kept, data, tablespaces } = member.paths;
  await mkdir(kept, { recursive: true, mode: 0o700 });
  const place = join(kept, keptName(new Date(), await readdir(kept)));
  await mkdir(place, { mode: 0o700 });
  // The tablespaces first: a copy that begins between the two would clear them.
  await renameIfThere(tablespaces, join(place, "tablespaces"));
  await rename(data, join(place, "data"));
  await removeOldest(member);
  return place;
}

/**
 * Copies the WAL of a stopped member that its cluster does not have, with a report beside. The data
 * directory stays as it is. The same WAL is not kept twice: a step that was cut off after this one
 * would otherwise drive older, other WAL out.
 * @returns where it is kept. @throws UnderstudyError DISK_FULL or DATA_UNREADABLE.
 */
export async function keepWal(
  member: Member,
  part: WalPart,
  reportOn: (walDir: string) => Promise<DivergenceReport>,
): Promise<{ place: string; report: DivergenceReport }> {
  const { kept } = member.paths;
  await mkdir(kept, { recursive: true, mode: 0o700 });
  await removePartial(kept);
  const place = join(kept, keptName(new Date(), await readdir(kept)));
  const partial = `${place}${PARTIAL_SUFFIX}`;
  const wal = join(partial, "wal");
  await mkdir(partial, { mode: 0o700 });
  try {
    await copyWal(part, wal);
    const report = await reportOn(wal);
    const known = await findReport(kept, report);
    if (known !== null) return { place: known, report };
    await keepReport(partial, report);
    await rename(partial, place);
    await syncDirectory(kept);
    await removeOldest(member);
    return { place, report };
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

/** Beside what was kept, for people. */
export async function keepReport(place: string, report: DivergenceReport): Promise<void> {
  await writeWhole(join(place, REPORT), `${JSON.stringify(report, null, 2)}\n`);
}

/** Where just this WAL was kept before. */
async function findReport(kept: string, wanted: DivergenceReport): Promise<string | null> {
  for (const name of await readdir(kept)) {
    const place = join(kept, name);
    const text = await readFile(join(place, REPORT), "utf8").catch(() => "");
    // Only WAL of its own: a directory that is kept whole has other things in it.
    if (text === "" || !(await readdir(place)).includes("wal")) continue;
    const found: unknown = parseOrNull(text);
    if (isOfSame(found, wanted)) return place;
  }
  return null;
}

function isOfSame(found: unknown, wanted: DivergenceReport): boolean {
  if (typeof found !== "object" || found === null) return false;
  const { timeline, switchPoint, endLsn, forkTerm } = wanted;
  const same = { timeline, switchPoint, endLsn, forkTerm };
  const known = new Map<string, unknown>(Object.entries(found));
  return Object.entries(same).every(([name, value]) => known.get(name) === value);
}

function parseOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

async function removePartial(kept: string): Promise<void> {
  for (const name of await readdir(kept))
    if (name.endsWith(PARTIAL_SUFFIX)) await rm(join(kept, name), { recursive: true, force: true });
}

/**
 * For a directory of which everything is known to be in the history of who leads in that term. It
 * stays until the next copy is whole: until then it may be the only one beside the primary.
 */
export async function setCopyAside(
  { paths: { root, data } }: Pick<Member, "paths">,
  term: number,
): Promise<void> {
  await renameIfThere(data, join(root, `${REMOVED_PREFIX}${term}-${keptName(new Date())}`));
}

/**
 * Once this member streams again. Who leads now may not have what the leader had that a directory
 * was compared with: its disk may have been lost in between. So that one is kept.
 * @param term of the leader that was copied
 */
export async function removeCopiesAside(
  member: Pick<Member, "name" | "paths" | "event">,
  term: number,
): Promise<void> {
  const { root } = member.paths;
  for (const name of await readdir(root)) {
    if (!name.startsWith(REMOVED_PREFIX)) continue;
    const aside = join(root, name);
    if (name.startsWith(`${REMOVED_PREFIX}${term}-`))
      await rm(aside, { recursive: true, force: true });
    else await keepAside(member, { aside, term });
  }
}

async function keepAside(
  member: Pick<Member, "name" | "paths" | "event">,
  { aside, term }: { readonly aside: string; readonly term: number },
): Promise<void> {
  const { kept } = member.paths;
  await mkdir(kept, { recursive: true, mode: 0o700 });
  const place = join(kept, keptName(new Date(), await readdir(kept)));
  await mkdir(place, { mode: 0o700 });
  await rename(aside, join(place, "data"));
  await removeOldest(member);
  member.event({
    event: "data-set-aside",
    level: "warning",
    message: `${member.name} was copied anew from the primary of term ${term}, and what it had was compared with an earlier one: it is kept in ${place}.`,
    details: { kept: place, term },
  });
}

async function renameIfThere(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (thrown) {
    if (codeOf(thrown) !== "ENOENT") throw thrown;
  }
}

async function removeOldest(member: Pick<Member, "name" | "paths" | "event">): Promise<void> {
  const { kept } = member.paths;
  await removePartial(kept);
  const names = (await readdir(kept)).toSorted().toReversed();
  for (const name of names.slice(KEPT_LIMIT)) {
    await rm(join(kept, name), { recursive: true, force: true });
    member.event({
      event: "kept-data-removed",
      level: "warning",
      message: `${join(kept, name)} was removed: ${member.name} keeps the ${KEPT_LIMIT} newest of what was set aside.`,
    });
  }
}
