// Tablespaces that data directories of one machine share: CREATE TABLESPACE is replayed with the
// same absolute place on every member, so that a standby writes into the primary's files. A copy
// that Understudy makes has places of its own; one that was replayed has not.
import { readdir, realpath } from "node:fs/promises";
import { join } from "node:path";

export interface SharedTablespace {
  /** PostgreSQL's number of it. */
  readonly oid: string;
  /** The directory itself, behind every link. */
  readonly place: string;
  readonly members: readonly string[];
}

/** @param dataDirs by member; one that is not there shares nothing. */
export async function findSharedTablespaces(
  dataDirs: ReadonlyMap<string, string>,
): Promise<SharedTablespace[]> {
  const found = new Map<string, { oid: string; place: string; members: string[] }>();
  for (const [member, dataDir] of dataDirs) {
    const links = join(dataDir, "pg_tblspc");
    for (const oid of await readdir(links).catch(() => [])) {
      // A link that leads nowhere is shared with nobody, and its server says so itself.
      const place = await realpath(join(links, oid)).catch(() => null);
      if (place === null) continue;
      const known = found.get(place) ?? { oid, place, members: [] };
      known.members.push(member);
      found.set(place, known);
    }
  }
  return [...found.values()].filter(({ members }) => members.length > 1);
}

export function describeSharing({ oid, place, members }: SharedTablespace): string {
  return `${members.join(", ")} share the directory of tablespace ${oid}, and so overwrite each other's files: ${place}`;
}
