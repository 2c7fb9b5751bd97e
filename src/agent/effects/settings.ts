// Brings a member's settings files in line with the specification, the record and the member's
// part.
import { mkdir, readFile, statfs } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { codeOf } from "../../core/errors.ts";
import { NOBODY } from "../../core/protocol/quorum.ts";
import { OPEN, type Service } from "../../core/protocol/service.ts";
import type { ClusterRecord } from "../../core/record.ts";
import { REPLICATION_ROLE, REWIND_ROLE, SUPERUSER } from "../../core/role.ts";
import { readControlData } from "../../postgres/control-data.ts";
import { factsOf } from "../../postgres/majors.ts";
import {
  STANDBY_SENSITIVE,
  controlMinimumsOf,
  type SettingsContext,
  type StandbySensitive,
  type Upstream,
} from "../../postgres/settings/context.ts";
import { effectiveSettings } from "../../postgres/settings/managed.ts";
import { renderPrimaryConninfo } from "../../postgres/settings/primary-conninfo.ts";
import { isClosedHba, renderHba } from "../../postgres/settings/render-hba.ts";
import {
  renderIdent,
  renderPassfile,
  renderPostgresqlConf,
  readSetting,
  renderRecoveryFile,
} from "../../postgres/settings/render.ts";
import {
  configFileOf,
  hbaFileOf,
  identFileOf,
  passfileOf,
  recoveryFileOf,
} from "../../postgres/settings/settings-files.ts";
import { formatStandbyNames, parseStandbyNames } from "../../postgres/settings/standby-names.ts";
import { writeSettings, writeSettingsFile } from "../../postgres/settings/write-settings.ts";
import { isFilled } from "../../postgres/wal-rescue/spool.ts";
import type { Member } from "../member.ts";

const RELOAD_LIMIT_MS = 5_000;
/** As it is issued: whom it lets log in as whom. */
const CERTIFICATE = { name: REPLICATION_ROLE, roles: [REPLICATION_ROLE, REWIND_ROLE] } as const;
const RELOAD_POLL_MS = 5;

export interface SettingsRequest {
  readonly record: ClusterRecord;
  /** Whom to follow; null for nobody, and for a primary. */
  readonly upstream: Upstream | null;
  /**
   * The leader may be given lower values than its standbys have; everybody else never goes below
   * pg_control (lesson 30).
   */
  readonly asPrimary: boolean;
  /**
   * Of a primary: whom its commits wait for, and whether applications may connect. Where it is left
   * out both stay as they are on disk.
   */
  readonly service?: Service;
  /** Where it is about to lead: a delay that is set for it does not hold any more. */
  readonly withoutDelay?: boolean;
}

/**
 * Writes the files outside of the data directory. @returns whether any was changed: a running
 * server must then reload.
 */
export async function writeMemberSettings(
  member: Member,
  request: SettingsRequest,
): Promise<boolean> {
  const { paths, secrets } = member;
  for (const dir of [paths.settings, paths.logs])
    await mkdir(dir, { recursive: true, mode: 0o700 });
  const service = await serviceOf(member, request);
  const context = {
    ...(await settingsContext(member, request)),
    synchronousStandbyNames: formatStandbyNames(service.waitsFor),
  };
  const members = Object.values(request.record.members);
  const parameters = member.file().specification.spec.postgres.parameters;
  const passfile = renderPassfile({
    members,
    replicationUser: REPLICATION_ROLE,
    replicationPassword: secrets.replication,
    copiesLogicalSlots: carriesLogicalSlots(member),
  });
  const { applicationNetworks } = member.file();
  const hba = renderHba({
    ...(applicationNetworks === undefined ? {} : { applicationNetworks }),
    memberHosts: members.map(({ host }) => host),
    ownHost: context.member.host,
    replicationUser: REPLICATION_ROLE,
    copiesLogicalSlots: carriesLogicalSlots(member),
    rewindUser: REWIND_ROLE,
    adminUser: SUPERUSER,
    isByTls: member.tls !== null,
    isClosed: !service.isOpen,
  });
  const changed = await writeSettings(
    new Map([
      [passfileOf(context), passfile],
      [hbaFileOf(context), hba],
      [identFileOf(context), renderIdent(member.tls === null ? null : CERTIFICATE)],
      [configFileOf(context), renderPostgresqlConf(context, parameters)],
    ]),
  );
  member.supply.pointAt(request.upstream);
  return changed.length > 0;
}

async function serviceOf(member: Member, request: SettingsRequest): Promise<Service> {
  // A standby acknowledges nothing, and lets readers in.
  if (!request.asPrimary) return OPEN;
  return request.service ?? (await serviceOnDisk(member));
}

/**
 * As the files have it that were written last. The server runs with it once it has read them, which
 * it may not have when an agent died in between.
 */
export async function serviceOnDisk({ paths }: Pick<Member, "paths">): Promise<Service> {
  const [conf, hba] = await Promise.all(
    [paths.configFile, hbaFileOf({ settingsDir: paths.settings })].map((path) =>
      readFile(path, "utf8").catch((thrown: unknown) => {
        if (codeOf(thrown) === "ENOENT") return "";
        throw thrown;
      }),
    ),
  );
  const names = readSetting(conf ?? "", "synchronous_standby_names") ?? "";
  return { waitsFor: parseStandbyNames(names) ?? NOBODY, isOpen: !isClosedHba(hba ?? "") };
}

/**
 * Writes the file in the data directory that makes the next start one in standby mode; up to 11 it
 * also names whom to follow. Never for a server that is writable now: a restart after a crashed
 * backend would read it.
 */
export async function writeStandbyMode(member: Member, request: SettingsRequest): Promise<void> {
  const context = await settingsContext(member, request);
  await writeSettingsFile(recoveryFileOf(context), { text: renderRecoveryFile(context) });
}

/**
 * Whether a running standby follows another than `request` says, or nobody: asked of the server
 * itself, because an agent may have died after it wrote the files. Up to 11 recovery.conf tells,
 * which is only written while the server is stopped.
 */
export async function followsAnother(member: Member, request: SettingsRequest): Promise<boolean> {
  if (request.upstream === null) return false;
  const context = await settingsContext(member, request);
  if (factsOf(context.major).recoveryFile === "recovery.conf")
    return (
      (await readFile(recoveryFileOf(context), "utf8").catch(() => "")) !==
      renderRecoveryFile(context)
    );
  const [row] = await member.session.query<{ conninfo: string }>(
    "SELECT current_setting('primary_conninfo') AS conninfo",
  );
  return row?.conninfo !== renderPrimaryConninfo(context, request.upstream);
}

/** Whether a running standby holds back what it has received, by what its server was given. */
export async function holdsBack(member: Member): Promise<boolean> {
  const { installation } = member.file();
  if (factsOf(installation.major).recoveryFile === "recovery.conf") {
    const { data: dataDir, settings: settingsDir } = member.paths;
    const path = recoveryFileOf({ major: installation.major, dataDir, settingsDir });
    return (await readFile(path, "utf8").catch(() => "")).includes("recovery_min_apply_delay");
  }
  const [row] = await member.session.query<{ delay: string }>(
    "SELECT current_setting('recovery_min_apply_delay') AS delay",
  );
  return row?.delay !== "0";
}

/**
 * Has the running server read its settings, and waits until it has: what waits for a restart is
 * known only then. A server that cannot be asked (it takes no connections now) reads them all the
 * same.
 */
export async function reloadSettings(member: Member, signal: AbortSignal): Promise<void> {
  const before = await member.positions.read().catch(() => null);
  await member.server.reload();
  if (before === null) return;
  const deadline = performance.now() + RELOAD_LIMIT_MS;
  while (performance.now() < deadline) {
    signal.throwIfAborted();
    const now = await member.positions.read().catch(() => null);
    if (now === null || now.settingsAsOf !== before.settingsAsOf) return;
    await delay(RELOAD_POLL_MS);
  }
}

/** Whether a change of the upstream reaches a running server of this major only by a restart. */
export function needsRestartToFollow(member: Member): boolean {
  return !factsOf(member.file().installation.major).reloadablePrimaryConninfo;
}

/**
 * Whether its server is told of its spool from its start on. Where disks are out of reach it is
 * filled seldom, and a command that is run in vain makes each promotion longer: so it is told of it
 * when it was filled, where a reload is enough for that.
 */
export function namesSpool(member: Pick<Member, "witness" | "file">): boolean {
  const facts = factsOf(member.file().installation.major);
  return member.witness.reachesDisks !== false || !facts.reloadableRestoreCommand;
}

/**
 * Whether the leader is to run with less than what its WAL was written with. In recovery a server
 * refuses that, unless it takes no readers (manual, 26.4.3).
 */
export async function lowersStandbySettings(
  member: Member,
  request: SettingsRequest,
): Promise<boolean> {
  const minimums = await controlMinimums(member.paths.data);
  const wanted = effectiveSettings(
    await settingsContext(member, { ...request, asPrimary: true }),
    member.file().specification.spec.postgres.parameters,
  );
  return STANDBY_SENSITIVE.some((name) => Number(wanted.get(name)) < (minimums?.[name] ?? 0));
}

async function settingsContext(member: Member, request: SettingsRequest): Promise<SettingsContext> {
  const { specification, installation } = member.file();
  const { paths, name } = member;
  const address = request.record.members[name];
  const disk = await statfs(member.walRoot ?? paths.root);
  const applyDelayMs = request.asPrimary || request.withoutDelay ? 0 : (address?.tags.delayMs ?? 0);
  return {
    major: installation.major,
    platform: process.platform,
    member: { name, host: address?.host ?? "127.0.0.1", port: address?.port ?? 0 },
    memberCount: Object.keys(request.record.members).length,
    dataDir: paths.data,
    settingsDir: paths.settings,
    logDir: paths.logs,
    spoolDir: namesSpool(member) || (await isFilled(paths.spool)) ? paths.spool : null,
    diskBytes: disk.blocks * disk.bsize,
    preload: specification.spec.postgres.preload,
    upstream: request.upstream,
    replicationUser: REPLICATION_ROLE,
    tls: member.tls?.files ?? null,
    applyDelayMs,
    // Only of a primary, and not where what is still seen there is not reported to it.
    copiesLogicalSlots:
      carriesLogicalSlots(member) &&
      applyDelayMs === 0 &&
      isLeader(request.record, request.upstream),
    synchronizedSlots: request.asPrimary ? member.logical.synchronizedSlots : [],
    controlMinimums: request.asPrimary ? null : await controlMinimums(paths.data),
  };
}

/**
 * Whether logical slots can be carried over to standbys: a wish of the user's, by wal_level, for
 * all members.
 */
export function carriesLogicalSlots(member: Pick<Member, "file">): boolean {
  const { installation, specification } = member.file();
  const { wal_level: walLevel = "" } = specification.spec.postgres.parameters;
  return factsOf(installation.major).logicalFailoverSlots && /^logical$/i.test(walLevel.trim());
}

function isLeader({ leader, members }: ClusterRecord, upstream: Upstream | null): boolean {
  const address = leader === null ? undefined : members[leader.member];
  return upstream !== null && address?.host === upstream.host && address.port === upstream.port;
}

async function controlMinimums(
  dataDir: string,
): Promise<Partial<Record<StandbySensitive, number>> | null> {
  const control = await readControlData(dataDir).catch(() => null);
  return control === null ? null : controlMinimumsOf(control);
}
