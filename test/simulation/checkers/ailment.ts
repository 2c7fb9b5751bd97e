// Whether the cluster is well: one primary, and every member streams from it.
import type { ClusterRecord } from "../../../src/core/record.ts";
import type { ModelServer } from "../model/server.ts";
import { endOf, isPrefix } from "../model/wal.ts";

/** Why it is not well yet; null when it is. */
export function ailment(
  record: ClusterRecord,
  servers: ReadonlyMap<string, ModelServer>,
): string | null {
  const leader = record.leader?.member;
  const primary = leader === undefined ? undefined : servers.get(leader);
  if (primary === undefined) return "nobody leads";
  const { data } = primary.disk;
  if (!primary.isWritable || data === null) return `${primary.name} leads but is not writable`;
  if (record.switchover !== null) return "a switchover is still under way";
  if (record.leader?.timeline !== endOf(data).timeline)
    return `the record names another timeline than ${primary.name} is on`;
  const trouble = syncAilment(record, primary);
  if (trouble !== null) return trouble;
  for (const server of servers.values()) {
    if (server === primary) continue;
    if (!(server.name in record.members)) {
      if (server.hasProcesses) return `${server.name} was removed and still runs`;
      continue;
    }
    if (server.streamsFrom !== primary)
      return `${server.name} (${describe(server)}) does not stream from ${primary.name} (${describe(primary)})`;
    if (server.disk.data === null || !isPrefix(server.disk.data, data))
      return `${server.name} has other data than the primary`;
  }
  return null;
}

/** As it is wanted, as far as it can be: every member streams from the primary when all is well. */
function syncAilment({ sync, members }: ClusterRecord, { name, gate }: ModelServer): string | null {
  const { mode, required, guarantee } = sync;
  if (!gate.service.isOpen) return `${name} leads and keeps applications out`;
  if (mode === "off")
    return guarantee === null ? null : "something is promised though it is turned off";
  const possible = Math.min(required, Object.keys(members).length - 1);
  if (guarantee?.required === possible && guarantee.renewed.length === 0) return null;
  return `${possible} standbys are to have every commit, and it is promised of ${guarantee?.required ?? 0}`;
}

function describe({ state, disk }: ModelServer): string {
  if (disk.data === null) return `${state}, no data`;
  const { timeline, lsn } = endOf(disk.data);
  const { newest, ancestors } = disk.data;
  const path = ancestors.map((left) => `${left.timeline} to ${left.switchPoint}`).join(", ");
  return `${state}${disk.marker ? ", half made" : ""}, at ${lsn} of timeline ${timeline} after ${path || "none"}, newest history ${newest.timeline}`;
}
