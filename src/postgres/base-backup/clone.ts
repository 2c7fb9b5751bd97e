// Makes a standby's data directory out of a running server, over the replication protocol
// (BASE_BACKUP): the slot first, then every file into a staging directory under a write-ahead
// marker, verified and on disk, then one rename. What is left by an abort, an error or a crash at
// any byte can never be started.
import { mkdir, rename, rm } from "node:fs/promises";
import type { Socket } from "node:net";
import { dirname } from "node:path";
import type { Client } from "pg";
import { UnderstudyError, codeOf, messageOf } from "../../core/errors.ts";
import type { Progress } from "../../core/member-status.ts";
import type { Secret } from "../../core/secret.ts";
import { connect } from "../connect.ts";
import type { TlsClient } from "../tls.ts";
import { BackupReceiver } from "./backup-receiver.ts";
import { backupCommand } from "./command.ts";
import { Crc32cEngine } from "./crc32c-engine.ts";
import { explainFull } from "./disk-space.ts";
import { readMarker, removeMarker, writeMarker } from "./marker.ts";
import { syncDirectory } from "../sync-directory.ts";
import { type RawSocket, rawSocket } from "./raw-socket.ts";
import { type Reception, receive } from "./receive.ts";
import { secureSocket } from "./secure-socket.ts";
import { dropSlot, ensureSlot } from "./slot.ts";
import { syncPaths } from "./sync-paths.ts";
import { clearTablespace, entriesOf } from "./tablespace-place.ts";

export interface CloneOptions {
  /** The server to copy; the user needs REPLICATION and nothing else. */
  readonly source: {
    readonly host: string;
    readonly port: number;
    readonly user: string;
    readonly password: Secret;
    readonly tls?: TlsClient | null;
  };
  /** Final place: must be absent or empty. */
  readonly dataDir: string;
  /** On the same file system; whatever is in it is removed. */
  readonly stagingDir: string;
  /** Shown in pg_stat_progress_basebackup's backup_label. */
  readonly label: string;
  /** Reserved before the backup, and made when it does not exist. */
  readonly slot?: string;
  readonly expectedSystemId: string;
  readonly rateLimitBytesPerSecond?: number;
  /** Each tablespace of the copy gets a directory of its own here, named by its oid. */
  readonly tablespaceRoot: string;
  /** About five times a second. Steps: "cloning", "verifying", "syncing". */
  readonly onProgress: (progress: Progress) => void;
  /** Longest silence of the source, its checkpoint included. Default 300,000. */
  readonly silenceLimitMs?: number;
  readonly signal: AbortSignal;
}

export interface CloneResult {
  readonly systemId: string;
  readonly timeline: number;
  readonly startLsn: string;
  /** Replay must come this far before the copy is consistent. */
  readonly endLsn: string;
  readonly bytes: number;
  readonly files: number;
  /** False for 10 to 12, which have no manifest. */
  readonly manifestVerified: boolean;
  readonly seconds: number;
}

/** Limit of the short commands before the backup. */
const COMMAND_LIMIT_MS = 10_000;
const SILENCE_LIMIT_MS = 300_000;
/** Far beyond the 64 KiB that Node reads by default: fewer system calls. */
const READ_BYTES = 256 * 1024;

/** What a failed attempt must take back. */
interface Attempt {
  slotMade: boolean;
  receiver: BackupReceiver | null;
}

/**
 * Returns when the copy is complete, verified, on disk and in its place. It has no WAL: the standby
 * streams that from the source, through the slot. Its settings are the source's: the caller writes
 * its own, and standby.signal or recovery.conf, before it starts it.
 * @throws UnderstudyError DIRECTORY_NOT_OURS, DATA_FOREIGN, DISK_FULL, CONNECTION_FAILED,
 * BACKUP_FAILED, BACKUP_CORRUPT; or the signal's reason. Nothing is left then but what was there
 * before.
 */
export async function cloneDataDirectory(options: CloneOptions): Promise<CloneResult> {
  const began = performance.now();
  options.signal.throwIfAborted();
  await prepare(options);
  const attempt: Attempt = { slotMade: false, receiver: null };
  try {
    const result = await backUp(options, attempt);
    await swap(options, attempt.receiver);
    return { ...result, seconds: (performance.now() - began) / 1000 };
  } catch (cause) {
    const reason = await explain(cause, { options, attempt });
    await discard(options, attempt);
    throw reason;
  }
}

/** Refuses what is not ours, marks, and clears what an earlier attempt left. */
async function prepare(options: CloneOptions): Promise<void> {
  const { dataDir, stagingDir, source } = options;
  const marker = await readMarker(dataDir);
  // Under a clone's marker the data directory was empty before, so what is there is that clone's.
  if (marker?.operation === "clone") await rm(dataDir, { recursive: true, force: true });
  else if ((await entriesOf(dataDir)).length > 0)
    throw new UnderstudyError(
      "DIRECTORY_NOT_OURS",
      `cannot clone into ${dataDir}: the directory is not empty`,
      { hint: "Move the directory away, then repeat." },
    );
  await writeMarker(dataDir, {
    operation: "clone",
    pid: process.pid,
    startedAt: new Date().toISOString(),
    source: `${source.host}:${source.port}`,
  });
  await rm(stagingDir, { recursive: true, force: true });
  await mkdir(stagingDir, { recursive: true, mode: 0o700 });
}

async function backUp(
  options: CloneOptions,
  attempt: Attempt,
): Promise<Omit<CloneResult, "seconds">> {
  const checksums = new Crc32cEngine(READ_BYTES);
  const raw = await socketTo(options, checksums.buffer);
  const client = await open(options, () => raw.socket);
  const onAbort = (): void => void raw.socket.destroy();
  options.signal.addEventListener("abort", onAbort, { once: true });
  try {
    const source = await inspect(client, options);
    if (options.slot !== undefined)
      attempt.slotMade = await ensureSlot(client, { slot: options.slot, major: source.major });
    const receiver = await receiveBackup(raw, { options, attempt, source, checksums });
    const { start, end, verified } = await receiver.complete();
    return {
      systemId: source.systemId,
      timeline: start.timeline,
      startLsn: start.lsn,
      endLsn: end.lsn,
      bytes: receiver.writer.bytes,
      files: receiver.writer.files.size,
      manifestVerified: verified,
    };
  } finally {
    options.signal.removeEventListener("abort", onAbort);
    raw.socket.destroy();
  }
}

/** Where there is TLS each byte is copied once more. */
async function socketTo(
  { source, signal }: CloneOptions,
  readInto: Uint8Array,
): Promise<RawSocket> {
  const { tls = null } = source;
  return tls === null ? rawSocket(readInto) : secureSocket({ ...source, tls, signal }, readInto);
}

async function open(options: CloneOptions, makeSocket?: () => Socket): Promise<Client> {
  return await connect({
    ...options.source,
    applicationName: options.label,
    replication: true,
    queryTimeoutMs: COMMAND_LIMIT_MS,
    signal: options.signal,
    ...(makeSocket === undefined ? {} : { stream: makeSocket }),
  });
}

interface Source {
  readonly systemId: string;
  readonly major: number;
  readonly groupAccess: boolean;
}

async function inspect(client: Client, options: CloneOptions): Promise<Source> {
  const identity = await client.query<{ systemid: string }>("IDENTIFY_SYSTEM");
  const systemId = identity.rows[0]?.systemid ?? "";
  if (systemId !== options.expectedSystemId)
    throw new UnderstudyError(
      "DATA_FOREIGN",
      `cannot clone ${options.source.host}:${options.source.port}: its system identifier is ${systemId}, ` +
        `that of this cluster ${options.expectedSystemId}`,
      { hint: "Another cluster's server answers on that port; see: understudy doctor" },
    );
  const version = Number(await show(client, "server_version_num"));
  const major = Math.floor(version / 10_000);
  const mode = major >= 11 ? await show(client, "data_directory_mode") : "0700";
  return { systemId, major, groupAccess: mode === "0750" };
}

async function show(client: Client, parameter: string): Promise<string> {
  const { rows } = await client.query<Record<string, string>>(`SHOW ${parameter}`);
  return rows[0]?.[parameter] ?? "";
}

interface Reading {
  readonly options: CloneOptions;
  readonly attempt: Attempt;
  readonly source: Source;
  readonly checksums: Crc32cEngine;
}

async function receiveBackup(
  raw: RawSocket,
  { options, attempt, source, checksums }: Reading,
): Promise<BackupReceiver> {
  const { label, rateLimitBytesPerSecond: rate } = options;
  const receiver: BackupReceiver = new BackupReceiver({
    ...source,
    checksums,
    stagingDir: options.stagingDir,
    tablespaceRoot: options.tablespaceRoot,
    onProgress: options.onProgress,
    reception: () => reception,
  });
  attempt.receiver = receiver;
  const reception: Reception = receive({
    raw,
    command: backupCommand({
      major: source.major,
      label,
      ...(rate === undefined ? {} : { rateLimitBytesPerSecond: rate }),
    }),
    onBytes: (chunk) => receiver.feed(chunk),
    silenceLimitMs: options.silenceLimitMs ?? SILENCE_LIMIT_MS,
    signal: options.signal,
  });
  await reception.done;
  return receiver;
}

/**
 * Everything is written and its files are on disk; makes the directories durable, then it takes its
 * place.
 */
async function swap(options: CloneOptions, receiver: BackupReceiver | null): Promise<void> {
  const { dataDir, stagingDir, tablespaceRoot, signal } = options;
  const places = receiver?.places ?? [];
  receiver?.meter.enter("syncing", { nowMs: performance.now(), total: null });
  await syncPaths(receiver?.writer.paths ?? [], signal);
  // Names last: a directory that is durable names only files that are.
  await syncPaths(receiver?.writer.directories ?? [], signal);
  if (places.length > 0) await syncDirectory(tablespaceRoot);
  await syncDirectory(stagingDir);
  signal.throwIfAborted();
  // A rename replaces an empty directory.
  await rename(stagingDir, dataDir);
  await syncDirectory(dirname(dataDir));
  if (dirname(stagingDir) !== dirname(dataDir)) await syncDirectory(dirname(stagingDir));
  await removeMarker(dataDir);
}

/**
 * An abort shows as its reason, a full disk with what it lacks; whatever is not ours yet becomes
 * BACKUP_FAILED.
 */
async function explain(
  cause: unknown,
  { options, attempt }: { options: CloneOptions; attempt: Attempt },
): Promise<unknown> {
  if (options.signal.aborted) return options.signal.reason;
  const [need] = attempt.receiver?.needs ?? [];
  const reason = need === undefined ? cause : await explainFull(cause, need);
  return reason instanceof UnderstudyError
    ? reason
    : new UnderstudyError(
        "BACKUP_FAILED",
        `cannot copy ${options.source.host}:${options.source.port} to ${options.dataDir}: ${messageOf(cause)}`,
        { cause, details: { code: codeOf(cause) ?? null } },
      );
}

/** Takes back what the attempt made, the marker last. */
async function discard(options: CloneOptions, attempt: Attempt): Promise<void> {
  // Why it failed is known already.
  await attempt.receiver?.writer.close().catch(() => {});
  await rm(options.stagingDir, { recursive: true, force: true });
  for (const place of attempt.receiver?.places ?? []) await clearTablespace(place);
  await removeMarker(options.dataDir);
  if (attempt.slotMade && options.slot !== undefined) await takeBackSlot(options, options.slot);
}

/** A slot that nobody will use keeps WAL until the source's disk is full (lesson 32). */
async function takeBackSlot(options: CloneOptions, slot: string): Promise<void> {
  try {
    const client = await open({ ...options, signal: AbortSignal.timeout(COMMAND_LIMIT_MS) });
    await dropSlot(client, slot).finally(() => client.end());
  } catch {
    // The source is gone, or the slot is; the agent that owns the slot sees to it with its next
    // attempt.
  }
}
