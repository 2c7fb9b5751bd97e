// What a primary keeps in order for its cluster: the members' slots, the roles, the applications'
// database, and its own settings.
import { APPLICATION_DATABASE } from "../../core/connection-url.ts";
import { withFork } from "../../core/fork.ts";
import type { ClusterRecord } from "../../core/record.ts";
import { announcePrimary, withdrawSwitchover } from "../../core/record-changes.ts";
import { CREATE_DATABASE, createRole, rolesOf, type Role } from "../first-objects.ts";
import type { Member } from "../member.ts";
import type { Position } from "../probe.ts";
import type { EffectContext } from "./effect.ts";
import { pruneHistories } from "./prune-histories.ts";
import { shedWalCopies } from "./shed-wal-copies.ts";
import { noteSynchronizedSlots } from "./logical-slots.ts";
import { keepRewindRole } from "./rewind-role.ts";
import { reloadSettings, writeMemberSettings } from "./settings.ts";
import { synchronize } from "./synchronize.ts";
import { keepSlots } from "./slots.ts";

const CREATE_DATABASE_LIMIT_MS = 120_000;

/** One pass; repeated with each tick and each change of the record. */
export async function lead({ member, record, signal }: EffectContext): Promise<void> {
  // A hand-over that was under way when its agent died: nothing is handed over yet, so it never
  // was.
  if (record.switchover?.from === member.name) await member.keeper.change(withdrawSwitchover);
  await noteSynchronizedSlots(member, record);
  if (await writeMemberSettings(member, { record, upstream: null, asPrimary: true }))
    await reloadSettings(member, signal);
  await keepReplicationRole(member);
  // Promoted by an agent that ended before it could say so.
  await announce({ member, record, position: await member.positions.read() });
  await synchronize({ member, signal }, { waits: false });
  const failed: unknown[] = [];
  // One that fails with each pass must not keep the others from being done.
  const tried = async (step: () => Promise<void>) => {
    signal.throwIfAborted();
    await step().catch((thrown: unknown) => void failed.push(thrown));
  };
  await tried(() => keepApplicationDatabase(member));
  await tried(() => keepRewindRole(member));
  await pruneHistories(member);
  // An agent that does not answer is waited for, and commits must not wait for that.
  await Promise.all([
    tried(() => synchronize({ member, signal }, { waits: true })),
    tried(() => keepSlots(member, { record })),
  ]);
  await shedWalCopies(member);
  if (failed.length > 0) throw failed[0];
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

/** What standbys log in as. A cluster up to 11, and one that lost it, does not have it yet. */
export async function keepReplicationRole(member: Member): Promise<void> {
  await keepRole(member, rolesOf(member.secrets).replication);
}

async function keepRole({ session }: Member, role: Role): Promise<void> {
  const [present] = await session.query("SELECT 1 FROM pg_roles WHERE rolname = $1", [role.name]);
  if (present === undefined) await session.query(createRole(role));
}

/** Not before standbys may follow: up to 14 it takes two checkpoints. */
async function keepApplicationDatabase(member: Member): Promise<void> {
  const { session, longSession, secrets } = member;
  await keepRole(member, rolesOf(secrets).application);
  const [present] = await session.query("SELECT 1 FROM pg_database WHERE datname = $1", [
    APPLICATION_DATABASE,
  ]);
  if (present !== undefined) return;
  await longSession.once(CREATE_DATABASE, { timeoutMs: CREATE_DATABASE_LIMIT_MS });
}
