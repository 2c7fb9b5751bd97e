// What a command does about tablespaces that members share: it says so, and refuses to promote.
import { memberPaths } from "../agent/member-paths.ts";
import { UnderstudyError, type ErrorCode } from "../core/errors.ts";
import type { ClusterRecord } from "../core/record.ts";
import {
  describeSharing,
  findSharedTablespaces,
  type SharedTablespace,
} from "../postgres/shared-tablespaces.ts";
import type { LocalCluster } from "./cluster.ts";

export async function sharedTablespacesOf(
  cluster: LocalCluster,
  record: ClusterRecord,
): Promise<SharedTablespace[]> {
  // Members elsewhere have file systems of their own.
  if (cluster.reach !== undefined) return [];
  const names = Object.keys(record.members);
  return findSharedTablespaces(
    new Map(names.map((name) => [name, memberPaths(cluster.paths.root, name).data])),
  );
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
  const [shared] = await sharedTablespacesOf(cluster, of.record);
  if (shared === undefined) return;
  throw new UnderstudyError(of.code, `${describeSharing(shared)}; nothing was changed`, {
    hint: remedyOfSharing(cluster),
  });
}
