// Whether the cluster is well: one primary, and every member streams from it, or from the standby
// that it was told to.
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
    const upstream = servers.get(upstreamOf(record, server.name) ?? "");
    if (upstream === undefined || server.streamsFrom !== upstream)
      return `${server.name} (${describe(server)}) does not stream from ${upstream?.name ?? "anybody"}, while ${primary.name} leads (${describe(primary)})`;
    if (server.disk.data === null || !isPrefix(server.disk.data, data))
      return `${server.name} has other data than the primary`;
  }
  return null;
}

/** Null for who leads, and while nobody does. Nobody may be told to stream in a circle. */
export function upstreamOf({ members, leader }: ClusterRecord, name: string): string | null {
  if (leader === null || name === leader.member) return null;
  const from = members[name]?.tags.from ?? null;
  return from !== null && from in members ? from : leader.member;
}

/** For whom commits can wait. */
export function directStandbys(record: ClusterRecord): readonly string[] {
  const leader = record.leader?.member ?? null;
  return Object.keys(record.members).filter(
    (name) => leader !== null && upstreamOf(record, name) === leader,
  );
}

/** As it is wanted, as far as it can be: all stream as they are told to when all is well. */
function syncAilment(record: ClusterRecord, { name, gate }: ModelServer): string | null {
  const { mode, required, guarantee } = record.sync;
  if (!gate.service.isOpen) return `${name} leads and keeps applications out`;
  if (mode === "off")
    return guarantee === null ? null : "something is promised though it is turned off";
  const possible = Math.min(required, directStandbys(record).length);
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
