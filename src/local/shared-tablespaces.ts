// Tablespaces that members of one machine share: CREATE TABLESPACE is replayed with the same
// absolute place on every member, so that a standby writes into the primary's files. A copy that
// Understudy makes has places of its own; one that was replayed has not.
import { readdir, realpath } from "node:fs/promises";
import { join } from "node:path";
import { memberPaths } from "../agent/member-paths.ts";
import { UnderstudyError, type ErrorCode } from "../core/errors.ts";
import type { ClusterRecord } from "../core/record.ts";
import type { LocalCluster } from "./cluster.ts";

export interface SharedTablespace {
  /** PostgreSQL's number of it. */
  readonly oid: string;
  /** The directory itself, behind every link. */
  readonly place: string;
  readonly members: readonly string[];
}

export async function findSharedTablespaces(
  cluster: LocalCluster,
  record: ClusterRecord,
): Promise<SharedTablespace[]> {
  const found = new Map<string, { oid: string; place: string; members: string[] }>();
  for (const name of Object.keys(record.members)) {
    const links = join(memberPaths(cluster.paths.root, name).data, "pg_tblspc");
    for (const oid of await readdir(links).catch(() => [])) {
      // A link that leads nowhere is shared with nobody, and its server says so itself.
      const place = await realpath(join(links, oid)).catch(() => null);
      if (place === null) continue;
      const known = found.get(place) ?? { oid, place, members: [] };
      known.members.push(name);
      found.set(place, known);
    }
  }
  return [...found.values()].filter(({ members }) => members.length > 1);
}

export function describeSharing({ oid, place, members }: SharedTablespace): string {
  return `${members.join(", ")} share the directory of tablespace ${oid}, and so overwrite each other's files: ${place}`;
}

/**
 * What to do about it, on this major. The parameter must stay set: without it no server starts from
 * a crash or as a standby on data that has a tablespace inside (measured on 15: PANIC, "unexpected
 * directory entry found in pg_tblspc").
 */
export function remedyOfSharing(cluster: LocalCluster): string {
  const drop = "Move what is in that tablespace back to pg_default, then DROP TABLESPACE";
  return cluster.file.installation.major >= 15
    ? `${drop}; for one in each member's own data: understudy param set allow_in_place_tablespaces=on, for good, then LOCATION ''.`
    : `${drop}; members of one machine cannot have one each.`;
}

/**
 * A promotion on such data could make what one member overwrote the truth.
 * @throws UnderstudyError of that code, naming the members and the tablespace.
 */
export async function refuseSharedTablespaces(
  cluster: LocalCluster,
  of: { record: ClusterRecord; code: ErrorCode },
): Promise<void> {
  const [shared] = await findSharedTablespaces(cluster, of.record);
  if (shared === undefined) return;
  throw new UnderstudyError(of.code, `${describeSharing(shared)}; nothing was changed`, {
    hint: remedyOfSharing(cluster),
  });
}
