// A short connection to a member as the superuser, for the commands that ask a server about itself.
import type { Client } from "pg";
import { SUPERUSER } from "../core/role.ts";
import { UnderstudyError } from "../core/errors.ts";
import { connect } from "../postgres/connect.ts";
import type { LocalCluster } from "./cluster.ts";
import { readClusterStatus, requireRunning } from "./read-status.ts";

/**
 * Of the primary, or of any member that runs where there is none.
 * @throws UnderstudyError CLUSTER_NOT_RUNNING, CONNECTION_FAILED.
 */
export async function withAdminSession<T>(
  cluster: LocalCluster,
  use: (client: Client) => Promise<T>,
): Promise<T> {
  const status = requireRunning(await readClusterStatus(cluster));
  const member =
    status.members.find(({ name }) => name === status.primary) ??
    status.members.find(({ role }) => role === "standby");
  if (member === undefined)
    throw new UnderstudyError(
      "CONNECTION_FAILED",
      `no PostgreSQL of ${cluster.place.name} takes connections now, though agents run`,
    );
  const client = await connect({
    host: member.host,
    port: member.port,
    user: SUPERUSER,
    password: cluster.secrets.superuser,
    applicationName: "understudy command",
  });
  try {
    return await use(client);
  } finally {
    await client.end().catch(() => {});
  }
}
