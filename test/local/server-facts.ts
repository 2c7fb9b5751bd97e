// What tests ask of a member's server, and make it do, as its superuser.
import { readFile } from "node:fs/promises";
import { clusterPaths } from "../../src/agent/member-paths.ts";
import type { TestCluster } from "../support/local-cluster.ts";
import { memberUrl } from "./cluster-facts.ts";

/** The first value of a statement's first row; null where it has none. */
export async function asSuperuser(
  cluster: TestCluster,
  member: string,
  sql: string,
): Promise<unknown> {
  const printed = await cluster.ok(["sql", "--as-superuser", "--member", member, sql]);
  const rows: readonly Readonly<Record<string, unknown>>[] = JSON.parse(printed);
  return Object.values(rows[0] ?? {})[0] ?? null;
}

/** To template1: nobody else is ever connected to it. */
export async function superuserUrl(cluster: TestCluster, member: string): Promise<string> {
  const { superuser } = JSON.parse(await readFile(clusterPaths(cluster.dir).secrets, "utf8"));
  const { port } = new URL(await memberUrl(cluster, member));
  return `postgresql://postgres:${superuser}@127.0.0.1:${port}/template1`;
}

/** So many segments of WAL, each with little in it. */
export async function writeSegments(
  cluster: TestCluster,
  of: { on: string; count: number },
): Promise<void> {
  await asSuperuser(
    cluster,
    of.on,
    `DO $$ BEGIN FOR i IN 1..${of.count} LOOP
       PERFORM pg_logical_emit_message(false, 'test', 'x');
       PERFORM pg_switch_wal();
     END LOOP; END $$`,
  );
}
