// Gives a primary other settings for its commits and its clients, and returns when nothing of the
// server goes by the former ones any more: the barrier (postgres-facts, 9).
import { setTimeout as delay } from "node:timers/promises";
import type { Client, QueryConfig } from "pg";
import { UnderstudyError, assert } from "../../core/errors.ts";
import { CLOSED, isSameQuorum, type Quorum } from "../../core/protocol/quorum.ts";
import type { Service } from "../../core/protocol/service.ts";
import type { ClusterRecord } from "../../core/record.ts";
import { REPLICATION_ROLE, REWIND_ROLE, SUPERUSER } from "../../core/role.ts";
import { formatStandbyNames } from "../../postgres/settings/standby-names.ts";
import type { Member } from "../member.ts";
import { readStreams } from "../sync/standbys.ts";
import { serviceOnDisk, writeMemberSettings } from "./settings.ts";

const BARRIER_LIMIT_MS = 10_000;
const POLL_MS = 5;
const QUERY_LIMIT_MS = 2_000;
const CHECKPOINT_LIMIT_MS = 300_000;
/** A commit of the least: it writes WAL, and changes nothing. */
const PROBE: QueryConfig & { query_timeout: number } = {
  text: "SELECT pg_logical_emit_message(true, 'understudy', 'does it wait')",
  query_timeout: BARRIER_LIMIT_MS,
};

export interface ServiceChange {
  readonly member: Member;
  readonly record: ClusterRecord;
  readonly service: Service;
  readonly signal: AbortSignal;
}

/** @throws UnderstudyError TIMED_OUT where a part of the server does not get there. */
export async function changeService(change: ServiceChange): Promise<void> {
  const before = (await serviceOnDisk(change.member)).waitsFor;
  await writeService(change);
  await awaitShown(change);
  await awaitWalSenders({ ...change, before });
}

/**
 * The barrier for what an agent may have written that died before all of the server went by it: of
 * what it went by before nothing is known.
 */
export async function settleService(change: ServiceChange): Promise<void> {
  await writeService(change);
  await awaitShown(change);
  await awaitWalSenders({ ...change, before: null });
}

/** Writes it and has the server read it; not yet the barrier. */
export async function writeService({ member, record, service }: ServiceChange): Promise<void> {
  await writeMemberSettings(member, { record, upstream: null, asPrimary: true, service });
  await member.server.reload();
}

/**
 * A new connection shows the new value: the postmaster has read all its files then, and has told
 * every other process to. Its processes look before what they do next, but for walsenders in the
 * middle of something, and for the checkpointer.
 */
export async function awaitShown(change: ServiceChange): Promise<void> {
  await (await connectAfterReload(change)).end();
}

async function connectAfterReload({ member, service, signal }: ServiceChange): Promise<Client> {
  const wanted = formatStandbyNames(service.waitsFor);
  let shown: Client | null = null;
  await until(`PostgreSQL of ${member.name} to read its settings`, signal, async () => {
    const client = await member.session.open({ queryTimeoutMs: QUERY_LIMIT_MS });
    try {
      const { rows } = await client.query<{ names: string }>(
        "SELECT current_setting('synchronous_standby_names') AS names",
      );
      if (rows[0]?.names === wanted) shown = client;
    } finally {
      if (shown === null) await client.end();
    }
    return shown !== null;
  });
  assert(shown !== null, "a wait has ended with what it waited for");
  return shown;
}

/**
 * Commits are released by the walsenders, each by the list that it has read. One of a standby that
 * is not waited for any more shows it by its priority. That more standbys are required shows
 * nowhere: those that might not know are ended, and the standbys connect again.
 */
async function awaitWalSenders(of: ServiceChange & { before: Quorum | null }): Promise<void> {
  const { member, before, service, signal } = of;
  const after = service.waitsFor;
  await until(`walsenders of ${member.name} to read their settings`, signal, async () =>
    (await readStreams(member.session)).every(
      ({ name, priority }) => priority === 0 || after.members.includes(name),
    ),
  );
  const hasRisen = before === null || (before.required > 0 && before.required < after.required);
  const wasMet = before === null || !isSameQuorum(before, CLOSED);
  if (after.required > 1 && hasRisen && wasMet) await endWalSenders(member, signal);
}

async function endWalSenders({ name, session }: Member, signal: AbortSignal): Promise<void> {
  const old = (await readStreams(session)).map(({ pid }) => pid);
  await session.query("SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) AS pid", [old]);
  await until(`former walsenders of ${name} to end`, signal, async () =>
    (await readStreams(session)).every(({ pid }) => !old.includes(pid)),
  );
}

/**
 * Has a commit of our own wait, while nobody can confirm it, and sees it wait: then all do (lesson
 * 17). Faster than a checkpoint, where nobody is served yet.
 */
export async function seeACommitWait(change: ServiceChange): Promise<void> {
  const { member, signal } = change;
  const client = await connectAfterReload(change);
  try {
    // From now on nobody else is let in; who was before goes.
    await cutApplications(member);
    const pid = await pidOf(client);
    await client.query("SET synchronous_commit = on");
    const at: { commit: Promise<void> | null } = { commit: null };
    await until(`a commit of ${member.name} to wait for standbys`, signal, async () => {
      // One that was not told to wait yet ends at once, and the next one is tried.
      at.commit ??= client.query(PROBE).then(
        () => void (at.commit = null),
        () => {},
      );
      return await isWaiting(member, pid);
    });
    // Nothing is lost by it, and it must not be waited for for ever.
    await member.session.query("SELECT pg_cancel_backend($1)", [pid]);
    await at.commit;
  } finally {
    await client.end().catch(() => {});
  }
}

async function pidOf(client: Client): Promise<number> {
  const { rows } = await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
  return rows[0]?.pid ?? 0;
}

async function isWaiting({ session }: Member, pid: number): Promise<boolean> {
  const [row] = await session.query<{ event: string | null }>(
    "SELECT wait_event AS event FROM pg_stat_activity WHERE pid = $1",
    [pid],
  );
  return row?.event === "SyncRep";
}

/** After it the checkpointer has read the settings, and commits wait as they are told to. */
export async function checkpoint({ longSession }: Member): Promise<void> {
  await longSession.once("CHECKPOINT", { timeoutMs: CHECKPOINT_LIMIT_MS });
}

/** Sessions that came before the door was closed, or in the moment of it. */
export async function cutApplications(member: Member): Promise<void> {
  const cut = await member.session.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND usename <> ALL ($1)`,
    [[SUPERUSER, REPLICATION_ROLE, REWIND_ROLE]],
  );
  if (cut.length > 0)
    member.event({
      event: "applications-cut",
      message: `${cut.length} applications were disconnected from ${member.name}: as the primary it lets them in when standbys have confirmed what it has.`,
    });
}

async function until(
  what: string,
  signal: AbortSignal,
  isSo: () => Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + BARRIER_LIMIT_MS;
  while (!(await isSo())) {
    signal.throwIfAborted();
    if (performance.now() > deadline)
      throw new UnderstudyError(
        "TIMED_OUT",
        `waited ${BARRIER_LIMIT_MS / 1000} s for ${what}; nothing is promised on it until then`,
      );
    await delay(POLL_MS);
  }
}
