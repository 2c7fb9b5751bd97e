// When a member needs its first deadman. One without any data can neither be writable nor become it
// before it has some, and the processes of a cluster that is being made have enough to do without
// it (docs/decisions/0010).
import { getPriority } from "node:os";
import type { Ground } from "../../core/protocol/situation.ts";
import type { ClusterRecord } from "../../core/record.ts";
import { readMarker } from "../../postgres/base-backup/marker.ts";
import { inspectDataDirectory } from "../../postgres/data-directory.ts";
import { TRIES_VARIABLE } from "./guardian.ts";
import { usualPriority } from "./priority.ts";

/**
 * An agent at work is to be started again when it dies. While a cluster is made, initdb leaves a
 * processor free just then; when copies have come and servers start, none is.
 */
export const FIRST_NEED_LIMIT_MS = 100;

/**
 * Of an agent that has just begun. Not one that a deadman has started: it has died before. Nor one
 * that has a higher priority to hand down, which it could not do later.
 */
export async function mayWaitForDeadman(dataDir: string): Promise<boolean> {
  if (process.env[TRIES_VARIABLE] !== undefined) return false;
  if (getPriority(0) !== usualPriority().nice) return false;
  const data = await inspectDataDirectory(dataDir);
  if (data.kind !== "absent" && data.kind !== "empty") return false;
  return readMarker(dataDir).then(
    (marker) => marker === null,
    () => false,
  );
}

/** To be asked of each look, before anything is decided on it. */
export function needsDeadman(seen: {
  readonly record: ClusterRecord | null;
  readonly ground: Ground;
  readonly member: string;
}): boolean {
  const { record, ground, member } = seen;
  if (ground !== "nothing" && ground !== "half-made") return true;
  return record !== null && (record.leader?.member ?? record.heir) === member;
}
