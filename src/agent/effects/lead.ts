// What a primary keeps in order for its cluster: the members' slots, the roles, the applications'
// database, and its own settings.
import { escapeIdentifier, escapeLiteral } from "pg";
import { APPLICATION_DATABASE, APPLICATION_ROLE } from "../../core/connection-url.ts";
import { withFork } from "../../core/fork.ts";
import { slotNameOf } from "../../core/name.ts";
import type { ClusterRecord } from "../../core/record.ts";
import { announcePrimary, withdrawSwitchover } from "../../core/record-changes.ts";
import type { Secret } from "../../core/secret.ts";
import { scramVerifier } from "../../postgres/scram-verifier.ts";
import { REPLICATION_ROLE, type Member } from "../member.ts";
import type { Position } from "../probe.ts";
import type { EffectContext } from "./effect.ts";
import { pruneHistories } from "./prune-histories.ts";
import { keepRewindRole } from "./rewind-role.ts";
import { reloadSettings, writeMemberSettings } from "./settings.ts";
import { synchronize } from "./synchronize.ts";

const CREATE_DATABASE_LIMIT_MS = 120_000;

interface Lead {
  readonly member: Member;
  readonly record: ClusterRecord;
}

/** One pass; repeated with each tick and each change of the record. */
export async function lead({ member, record, signal }: EffectContext): Promise<void> {
  // A hand-over that was under way when its agent died: nothing is handed over yet, so it never
  // was.
  if (record.switchover?.from === member.name) await member.keeper.change(withdrawSwitchover);
  if (await writeMemberSettings(member, { record, upstream: null, asPrimary: true }))
    await reloadSettings(member, signal);
  await keepInOrder({ member, record });
  // Promoted by an agent that ended before it could say so.
  await announce({ member, record, position: await member.positions.read() });
  await keepRewindRole(member);
  await makeApplicationDatabase(member);
  await pruneHistories(member);
  await synchronize({ member, signal });
}

/**
 * Has the others follow: first this member remembers which term began its timeline, then the record
 * names both. Does nothing when it does already.
 */
export async function announce({
  member,
  record,
  position,
}: {
  readonly member: Pick<Member, "name" | "keeper" | "memory">;
  readonly record: ClusterRecord;
  readonly position: Pick<Position, "timeline" | "writeLsn" | "inRecovery">;
}): Promise<void> {
  const { timeline, writeLsn } = position;
  if (timeline === null || writeLsn === null || position.inRecovery) return;
  const begun = { timeline, term: record.term };
  const known = member.keeper.record;
  const isNamed =
    known?.leader?.timeline === timeline &&
    known.switchover?.to !== member.name &&
    known.forks.some((fork) => fork.timeline === timeline && fork.term === record.term);
  if (isNamed) return;
  const forks = withFork(member.memory.forks, begun);
  const followed = { leader: member.name, timeline, before: timeline, switchPoint: writeLsn };
  await member.memory.rememberPath({ followed, forks });
  const primary = { member: member.name, term: record.term, forks };
  await member.keeper.change((current) =>
    announcePrimary(current, { ...primary, position: { lsn: writeLsn, timeline } }),
  );
}

/** What a standby needs before it can stream from this member. */
export async function keepInOrder(context: Lead): Promise<void> {
  await keepSlots(context);
  await keepRoles(context.member);
}

/**
 * Every other member has a slot that holds WAL from now on, even before it first connects (lesson
 * 33).
 */
async function keepSlots({ member, record }: Lead): Promise<void> {
  const wanted = new Set(
    Object.keys(record.members)
      .filter((name) => name !== member.name)
      .map(slotNameOf),
  );
  const slots = await ownSlots(member);
  for (const { name, active } of slots)
    if (!wanted.has(name) && !active) await dropSlot(member, name);
  for (const name of wanted)
    if (!slots.some((slot) => slot.name === name))
      await member.session.query("SELECT pg_create_physical_replication_slot($1, true)", [name]);
}

/**
 * Slots of ours that nobody uses. On a standby each would hold WAL for ever (lesson 31).
 */
export async function dropUnusedSlots(member: Member): Promise<void> {
  for (const { name, active } of await ownSlots(member)) if (!active) await dropSlot(member, name);
}

/** One failing slot must not keep the others from being looked after (lesson 34). */
async function dropSlot(member: Member, name: string): Promise<void> {
  try {
    await member.session.query("SELECT pg_drop_replication_slot($1)", [name]);
  } catch (thrown) {
    member.log.write({ event: "slot-not-dropped", level: "warning", message: String(thrown) });
  }
}

function ownSlots(member: Member): Promise<{ name: string; active: boolean }[]> {
  return member.session.query(
    `SELECT slot_name::text AS name, active FROM pg_replication_slots
      WHERE slot_type = 'physical' AND slot_name LIKE 'understudy\\_%'`,
  );
}

async function keepRoles({ session, secrets }: Member): Promise<void> {
  const present = await session.query<{ name: string }>(
    "SELECT rolname::text AS name FROM pg_roles WHERE rolname = ANY ($1)",
    [[REPLICATION_ROLE, APPLICATION_ROLE]],
  );
  const has = (role: string) => present.some(({ name }) => name === role);
  if (!has(REPLICATION_ROLE))
    await session.query(createRole(`${REPLICATION_ROLE} LOGIN REPLICATION`, secrets.replication));
  if (!has(APPLICATION_ROLE))
    await session.query(createRole(`${APPLICATION_ROLE} LOGIN`, secrets.application));
}

/** CREATE ROLE takes no parameters; the verifier is of a fixed alphabet and quoted all the same. */
function createRole(role: string, password: Secret): string {
  return `CREATE ROLE ${role} PASSWORD ${escapeLiteral(scramVerifier(password))}`;
}

/** Not before standbys may follow: up to 14 it takes two checkpoints. */
export async function makeApplicationDatabase({ session, longSession }: Member): Promise<void> {
  const [present] = await session.query("SELECT 1 FROM pg_database WHERE datname = $1", [
    APPLICATION_DATABASE,
  ]);
  if (present !== undefined) return;
  const [database, owner] = [APPLICATION_DATABASE, APPLICATION_ROLE].map(escapeIdentifier);
  await longSession.once(`CREATE DATABASE ${database} OWNER ${owner}`, {
    timeoutMs: CREATE_DATABASE_LIMIT_MS,
  });
}
