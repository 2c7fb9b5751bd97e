// Reads global/pg_control ourselves: binaries without pg_controldata exist, and another major's
// tool reads nonsense without an error (postgres-facts, 2). Every offset was compared with what the
// servers say (test/postgres).
import { open } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { UnderstudyError, assert, codeOf, messageOf } from "../core/errors.ts";
import { lsnFromBigInt, type Lsn } from "../core/lsn.ts";
import { crc32c } from "./crc32c.ts";

/** Of a data directory. */
export const CONTROL_FILE = "global/pg_control";

/** In the order of PostgreSQL's DBState, in the words of pg_controldata. */
export const CONTROL_STATES = [
  "starting up",
  "shut down",
  "shut down in recovery",
  "shutting down",
  "in crash recovery",
  "in archive recovery",
  "in production",
] as const;
export type ControlState = (typeof CONTROL_STATES)[number];

export const WAL_LEVELS = ["minimal", "replica", "logical"] as const;
export type WalLevel = (typeof WAL_LEVELS)[number];

export interface ControlData {
  /** A 64-bit number in decimal digits: the same for all members of a cluster, and for no other. */
  readonly systemId: string;
  readonly controlVersion: number;
  readonly catalogVersion: number;
  readonly state: ControlState;
  /** Start (not end) of the newest checkpoint record. */
  readonly checkpointLsn: Lsn;
  /** Where recovery from that checkpoint begins. */
  readonly redoLsn: Lsn;
  /** Of that checkpoint; behind the truth right after a promotion (postgres-facts, 2). */
  readonly timeline: number;
  readonly previousTimeline: number;
  /** 0/0 on a primary. */
  readonly minRecoveryLsn: Lsn;
  /** 0 on a primary. */
  readonly minRecoveryTimeline: number;
  /** 0/0 but between the start of a restored base backup and its consistency. */
  readonly backupStartLsn: Lsn;
  readonly backupEndLsn: Lsn;
  readonly walLevel: WalLevel;
  readonly walLogHints: boolean;
  readonly maxConnections: number;
  readonly maxWorkerProcesses: number;
  /** Null before 12, which does not keep it. */
  readonly maxWalSenders: number | null;
  readonly maxPreparedTransactions: number;
  readonly maxLocksPerTransaction: number;
  /** 0: data pages carry no checksums. */
  readonly checksumVersion: number;
  readonly walSegmentBytes: number;
  /** Of a WAL page. */
  readonly walBlockBytes: number;
  /** Of a data page. */
  readonly blockBytes: number;
}

interface Layout {
  readonly redo: number;
  readonly minRecovery: number;
  readonly walLevel: number;
  /** 12 put max_wal_senders between the worker processes and the prepared transactions. */
  readonly hasWalSenders: boolean;
  readonly blockSize: number;
  readonly checksumVersion: number;
  /** The CRC-32C is here, over everything before it. */
  readonly crc: number;
}

/** Fields before `redo` stand at the same place in all. By pg_control_version. */
const FROM_13: Layout = {
  redo: 40,
  minRecovery: 136,
  walLevel: 172,
  hasWalSenders: true,
  blockSize: 216,
  checksumVersion: 252,
  crc: 288,
};
const LAYOUTS: Readonly<Record<number, Layout>> = {
  // 10 still keeps the checkpoint before the newest one, at 40.
  1002: { ...FROM_13, redo: 48, hasWalSenders: false },
  // 11 has neither that nor, yet, the 64-bit transaction identifier of 12.
  1100: {
    redo: 40,
    minRecovery: 128,
    walLevel: 164,
    hasWalSenders: false,
    blockSize: 208,
    checksumVersion: 244,
    crc: 280,
  },
  1201: FROM_13,
  // 13 to 16.
  1300: FROM_13,
  // 17 put the checkpoint's wal_level where there was padding.
  1700: FROM_13,
  // 18 put the signedness of char before the checksum.
  1800: { ...FROM_13, crc: 292 },
};

/** The structure is kept below 512 bytes so that a disk writes it as one sector. */
const CONTROL_BYTES = 512;
const READ_TRIES = 20;
const READ_PAUSE_MS = 5;

export type ParsedControlData =
  | { readonly kind: "ok"; readonly control: ControlData }
  /** Read in the middle of a write, or damaged. */
  | { readonly kind: "bad-checksum" }
  | { readonly kind: "unknown-version"; readonly version: number };

/**
 * Of the first 512 bytes or more of global/pg_control, as a little-endian 64-bit machine writes it.
 */
export function parseControlData(bytes: Uint8Array): ParsedControlData {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < CONTROL_BYTES) return { kind: "bad-checksum" };
  const version = view.getUint32(8, true);
  const layout = LAYOUTS[version];
  if (layout === undefined) return { kind: "unknown-version", version };
  if (crc32c(bytes.subarray(0, layout.crc)) !== view.getUint32(layout.crc, true))
    return { kind: "bad-checksum" };
  return { kind: "ok", control: fieldsOf(view, layout) };
}

function fieldsOf(view: DataView, layout: Layout): ControlData {
  const u32 = (offset: number) => view.getUint32(offset, true);
  const lsn = (offset: number) => lsnFromBigInt(view.getBigUint64(offset, true));
  const { redo, minRecovery, walLevel, blockSize } = layout;
  // walLevel, wal_log_hints (a byte), then integers of four bytes each.
  const afterWorkers = walLevel + (layout.hasWalSenders ? 20 : 16);
  return {
    systemId: view.getBigUint64(0, true).toString(),
    controlVersion: u32(8),
    catalogVersion: u32(12),
    state: known(CONTROL_STATES, u32(16)),
    checkpointLsn: lsn(32),
    redoLsn: lsn(redo),
    timeline: u32(redo + 8),
    previousTimeline: u32(redo + 12),
    minRecoveryLsn: lsn(minRecovery),
    minRecoveryTimeline: u32(minRecovery + 8),
    backupStartLsn: lsn(minRecovery + 16),
    backupEndLsn: lsn(minRecovery + 24),
    walLevel: known(WAL_LEVELS, u32(walLevel)),
    walLogHints: view.getUint8(walLevel + 4) !== 0,
    maxConnections: u32(walLevel + 8),
    maxWorkerProcesses: u32(walLevel + 12),
    maxWalSenders: layout.hasWalSenders ? u32(walLevel + 16) : null,
    maxPreparedTransactions: u32(afterWorkers),
    maxLocksPerTransaction: u32(afterWorkers + 4),
    checksumVersion: u32(layout.checksumVersion),
    blockBytes: u32(blockSize),
    walBlockBytes: u32(blockSize + 8),
    walSegmentBytes: u32(blockSize + 12),
  };
}

/** The checksum was right, so a number without a name is a mistake in our table. */
function known<Name extends string>(names: readonly Name[], index: number): Name {
  const name = names[index];
  assert(name !== undefined, `pg_control holds ${index}, of ${names.join(", ")}`);
  return name;
}

/**
 * Of a stopped or a running server. A read in the middle of the server's write is repeated, at most
 * 20 times.
 * @throws UnderstudyError DATA_UNREADABLE (`details.code` "ENOENT" when there is no such file), or
 * MAJOR_UNKNOWN.
 */
export async function readControlData(dataDir: string): Promise<ControlData> {
  const path = join(dataDir, CONTROL_FILE);
  for (let attempt = 1; ; attempt++) {
    const parsed = parseControlData(await readStart(path));
    if (parsed.kind === "ok") return parsed.control;
    if (parsed.kind === "unknown-version")
      throw new UnderstudyError(
        "MAJOR_UNKNOWN",
        `cannot read ${path}: its version is ${parsed.version}, which is of no PostgreSQL from 10 to 18`,
        { details: { path, version: parsed.version } },
      );
    if (attempt === READ_TRIES)
      throw new UnderstudyError(
        "DATA_UNREADABLE",
        `cannot read ${path}: its checksum is wrong, the file is damaged`,
        { details: { path, code: null } },
      );
    await delay(READ_PAUSE_MS);
  }
}

/** The beginning of a file: fewer bytes when it has fewer. */
async function readStart(path: string): Promise<Uint8Array> {
  try {
    await using file = await open(path, "r");
    const { buffer, bytesRead } = await file.read(Buffer.alloc(CONTROL_BYTES), 0, CONTROL_BYTES, 0);
    return buffer.subarray(0, bytesRead);
  } catch (cause) {
    throw new UnderstudyError("DATA_UNREADABLE", `cannot read ${path}: ${messageOf(cause)}`, {
      cause,
      details: { path, code: codeOf(cause) ?? null },
    });
  }
}
