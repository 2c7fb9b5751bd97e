// The role by which a former primary's pg_rewind reads the new primary's files: from 11 on by four
// functions that are granted to it (manual, pg_rewind "Notes"), so that no superuser's password
// leaves an agent. Up to 10 only a superuser may.
import { REWIND_ROLE, SUPERUSER } from "../../core/role.ts";
import type { Major } from "../../core/spec.ts";
import { factsOf } from "../../postgres/majors.ts";
import type { RewindSource } from "../../postgres/rewind/source.ts";
import {
  CHECKPOINT_ROLE_SINCE,
  REWIND_FUNCTIONS,
  createRole,
  rewindGrants,
  rewindPassword,
  rolesOf,
} from "../first-objects.ts";
import type { Leader, Member } from "../member.ts";

/**
 * One pass of a primary; two queries where everything is as it should be. The grants hold in the
 * database that the agent is connected to, the one in which pg_rewind logs in.
 */
export async function keepRewindRole(member: Member): Promise<void> {
  const { session, secrets } = member;
  const { major } = member.file().installation;
  if (factsOf(major).rewind.needsSuperuser) return;
  const [role] = await session.query("SELECT 1 FROM pg_roles WHERE rolname = $1", [REWIND_ROLE]);
  if (role === undefined) await session.query(createRole(rolesOf(secrets).rewind));
  if (await hasGrants(session, major)) return;
  for (const grant of rewindGrants(major)) await session.query(grant);
}

async function hasGrants(session: Member["session"], major: Major): Promise<boolean> {
  const mayCheckpoint =
    major < CHECKPOINT_ROLE_SINCE ? "" : " AND pg_has_role($1, 'pg_checkpoint', 'MEMBER')";
  const [granted] = await session.query<{ all: boolean }>(
    `SELECT bool_and(has_function_privilege($1, name, 'EXECUTE'))${mayCheckpoint} AS "all"
       FROM unnest($2::text[]) name`,
    [REWIND_ROLE, REWIND_FUNCTIONS],
  );
  return granted?.all === true;
}

/** By whom pg_rewind reads the leader's files, and who may be asked to CHECKPOINT there. */
export function rewindLogins(
  member: Member,
  leader: Leader,
): { source: RewindSource; checkpointBy: readonly RewindSource[] } {
  const { major } = member.file().installation;
  const { host, port } = leader.address;
  const tls = member.tls?.towards(leader.name) ?? null;
  const at = { host, port, tls, applicationName: `${member.name} rewind` };
  // Let in from its own machine only; members of one machine share it.
  const superuser = { ...at, user: SUPERUSER, password: member.secrets.superuser };
  if (factsOf(major).rewind.needsSuperuser) return { source: superuser, checkpointBy: [superuser] };
  const password = rewindPassword(member.secrets.replication);
  const source = { ...at, user: REWIND_ROLE, password };
  return {
    source,
    checkpointBy: major < CHECKPOINT_ROLE_SINCE ? [superuser] : [source],
  };
}
