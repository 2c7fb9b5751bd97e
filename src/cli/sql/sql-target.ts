// Which server `sql` and `psql` go to, and as whom.
import { APPLICATION_DATABASE, APPLICATION_ROLE } from "../../core/connection-url.ts";
import { memberNamed, primaryOf, readerOf } from "../members.ts";
import type { Session } from "../session.ts";
import type { SqlTarget } from "./run-statement.ts";

export interface TargetOptions {
  readonly read?: boolean;
  readonly member?: string;
  readonly asSuperuser?: boolean;
}

/** @throws UnderstudyError MEMBER_NOT_FOUND, NO_PRIMARY, CLUSTER_NOT_RUNNING. */
export async function sqlTarget(
  session: Session,
  options: TargetOptions,
): Promise<{ target: SqlTarget; binDir: string }> {
  const { local, cluster, status } = await session.status();
  const reader = options.read === true && options.member === undefined ? readerOf(status) : null;
  if (reader?.fallback === true)
    session.note(
      `no standby that takes reads streams: reading from the primary, ${reader.member.name}`,
    );
  const member =
    options.member === undefined
      ? (reader?.member ?? primaryOf(status))
      : memberNamed(status, options.member);
  const target = {
    member: member.name,
    host: member.host,
    port: member.port,
    database: APPLICATION_DATABASE,
    ...(options.asSuperuser === true
      ? await local.superuserLogin(cluster)
      : { user: APPLICATION_ROLE, password: await local.applicationPassword(cluster) }),
  };
  return { target, binDir: await local.binDirOf(cluster) };
}
