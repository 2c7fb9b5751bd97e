// What a member has on disk: it outlives its agent and its server.
import type { Remembered } from "../../../src/agent/memory.ts";
import type { DataDirectory } from "./wal.ts";

export interface Disk {
  data: DataDirectory | null;
  /** Written before the first byte of a copy, removed after its last (lesson 27). */
  marker: boolean;
  /** Data directories that were set aside, newest first. */
  kept: DataDirectory[];
  /** A mere copy of the primary that stays until the next one is whole. */
  replaced: DataDirectory | null;
  memory: Remembered | null;
}

export function emptyDisk(): Disk {
  return { data: null, marker: false, kept: [], replaced: null, memory: null };
}
