// Members that have their WAL on volumes of their own, with a real Kubernetes API and a real
// PostgreSQL: made, copied, succeeded, rewound or copied anew.
import assert from "node:assert/strict";
import { readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { memberPaths } from "../../../src/agent/member-paths.ts";
import { eventually } from "../../support/eventually.ts";
import { takePortBlock } from "../../support/port-block.ts";
import { ApiServer } from "../cluster/api-server.ts";
import { PodAgents } from "../pod-agents.ts";

/** Where its WAL is, and all that is on the volume for it. */
async function walOf(cluster: PodAgents, member: string) {
  const root = cluster.place(member);
  const { data } = memberPaths(join(root, "cluster"), member);
  const volume = join(root, "wal");
  const there = (await readdir(volume)).filter((name) => name.startsWith("wal-"));
  return { link: await readlink(join(data, "pg_wal")), there, volume };
}

async function isOnItsVolume(cluster: PodAgents, member: string): Promise<void> {
  const { link, there, volume } = await walOf(cluster, member);
  assert.deepEqual(
    there.map((name) => join(volume, name)),
    [link],
    member,
  );
  const files = await readdir(link);
  assert.ok(
    files.some((name) => /^[0-9A-F]{24}$/.test(name)),
    `WAL in ${link}: ${files.join()}`,
  );
}

test("members with their WAL on volumes of their own are made and copied, fail over and come back", async () => {
  await using ports = await takePortBlock();
  const users = ["system:serviceaccount:shop:izdb-agents"];
  await using server = await ApiServer.start({ users });
  const options = { standbys: 1, port: ports.first + 1, walApart: true };
  await using cluster = await PodAgents.start(server, options);
  const first = await cluster.primary({ standbys: 1 }).catch(async (thrown: unknown) => {
    throw new Error(`${String(thrown)}\n${await cluster.logs()}`);
  });
  await cluster.query(first, "CREATE TABLE kept AS SELECT 1 AS one");
  for (const member of cluster.members) await isOnItsVolume(cluster, member);
  await eventually("a standby that has all", async () => {
    const has = "SELECT bool_and(replay_lsn = pg_current_wal_lsn()) FROM pg_stat_replication";
    return (await cluster.value(first, has)) === true;
  });
  await cluster.signalAgent(first, "SIGKILL");
  await cluster.tellEnd(first);
  const second = await cluster.primary({ standbys: 0, not: first });
  assert.deepEqual(await cluster.query(second, "SELECT one FROM kept"), [{ one: 1 }]);
  await cluster.startAgent(first);
  assert.equal(await cluster.primary({ standbys: 1 }), second, await cluster.logs());
  await isOnItsVolume(cluster, second);
  const { link, there, volume } = await walOf(cluster, first);
  // Where it was copied anew, what it had may be kept beside it.
  assert.ok(there.some((name) => join(volume, name) === link));
  assert.deepEqual(await cluster.query(first, "SELECT one FROM kept"), [{ one: 1 }]);
});
