// Observes the ground that a member stands on: its data directory, its processes, and whether its
// server takes writes.
import type { ClusterRecord } from "../core/record.ts";
import type { Ground } from "../core/protocol/situation.ts";
import { readMarker } from "../postgres/base-backup/marker.ts";
import { readControlData, type ControlState } from "../postgres/control-data.ts";
import { inspectDataDirectory } from "../postgres/data-directory.ts";
import type { Member } from "./member.ts";

/** Its server lives, and is one to come in at or to be soon. */
export function isUp(ground: Ground): boolean {
  return ["starting", "closed", "standby", "primary"].includes(ground);
}

/** What pg_control says of a primary that ended without a shutdown (manual, pg_controldata). */
const WRITABLE_AT_ITS_END: ReadonlySet<ControlState> = new Set([
  "in production",
  "shutting down",
  "in crash recovery",
]);

export async function observeGround(member: Member, record: ClusterRecord | null): Promise<Ground> {
  const server = await member.server.state();
  if (server.kind === "accepting") return writability(member, record);
  // One read that fails is no sign of an end; this is.
  member.positions.forget();
  if (server.kind !== "stopped" && server.kind !== "orphaned") return server.kind;
  // Orphans of a dead postmaster are ended before the next start; until then the server counts as
  // stopped.
  return stoppedGround(member, record);
}

/** Asked of the server; where it takes no connection, its control file tells. */
async function writability(member: Member, record: ClusterRecord | null): Promise<Ground> {
  if (!(await isInRecovery(member))) return "primary";
  const leads = record === null || record.leader?.member === member.name;
  // It may become the primary at any moment, under a lease that is not its own any more.
  return !leads && (await member.server.wasAskedToPromote()) ? "closed" : "standby";
}

async function isInRecovery(member: Member): Promise<boolean> {
  try {
    return (await member.positions.read()).inRecovery;
  } catch {
    return (await readControlData(member.paths.data)).state !== "in production";
  }
}

async function stoppedGround(member: Member, record: ClusterRecord | null): Promise<Ground> {
  if (await isHalfMade(member)) return "half-made";
  const data = await inspectDataDirectory(member.paths.data);
  if (data.kind === "absent" || data.kind === "empty") return "nothing";
  if (data.kind === "foreign" || data.control === null) return "foreign";
  if (data.major !== member.file().installation.major) return "foreign";
  const systemId = record?.systemId ?? null;
  if (systemId !== null && data.control.systemId !== systemId) return "foreign";
  return WRITABLE_AT_ITS_END.has(data.control.state) ? "crashed" : "stopped";
}

/** A marker that cannot be read counts as one that is there. */
export function isHalfMade(member: Member): Promise<boolean> {
  return readMarker(member.paths.data).then(
    (marker) => marker !== null,
    () => true,
  );
}
