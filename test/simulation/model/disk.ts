// What a member has on disk: it outlives its agent and its server.
import type { Remembered } from "../../../src/agent/memory.ts";
import { OPEN, type Service } from "../../../src/core/protocol/service.ts";
import type { DataDirectory, WalRecord } from "./wal.ts";

/** WAL that only this member had, with or without the data directory around it. */
export interface Kept {
  /** What its name tells: when it was kept, by the people's clock. */
  readonly stamp: string;
  /** When it really was, for the checkers alone. */
  readonly atMs: number;
  readonly data: DataDirectory | null;
  /** From this place in the WAL on. */
  readonly from: number;
  readonly records: readonly WalRecord[];
}

export interface Disk {
  data: DataDirectory | null;
  /** Written before the first byte of a copy, removed after its last (lesson 27). */
  marker: boolean;
  /** What was set aside, in no order. */
  kept: Kept[];
  /** Mere copies of who led in that term, which stay until the next one is whole. */
  replaced: { readonly data: DataDirectory; readonly term: number }[];
  memory: Remembered | null;
  /**
   * What the settings files say, which lie beside the data: a server runs with it once it has read
   * them.
   */
  service: Service;
  /** Nothing more can be written. */
  isFull: boolean;
}

export function emptyDisk(): Disk {
  return {
    data: null,
    marker: false,
    kept: [],
    replaced: [],
    memory: null,
    service: OPEN,
    isFull: false,
  };
}
