// Agents whose store is a real Kubernetes API, as they run in pods.
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { agentsOfOwnServer } from "../agents-of-own-server.ts";
import type { PodAgents } from "../pod-agents.ts";

/** A lease and a half. */
const AWAY_MS = 15_000;

test("a cluster is made, and a primary whose container has ended is succeeded when its kubelet says so", async () => {
  await using subject = await agentsOfOwnServer({ standbys: 2 });
  const { cluster } = subject;
  const first = await cluster.primary({ standbys: 2 }).catch(async (thrown: unknown) => {
    throw new Error(`${String(thrown)}\n${await cluster.logs()}`);
  });
  assert.equal(first, "izdb-1");
  await cluster.query(first, "CREATE TABLE kept AS SELECT 1 AS one");
  // No other member's disk is here: a promotion would start shells for nothing.
  assert.deepEqual(await cluster.query(first, "SHOW restore_command"), [{ restore_command: "" }]);
  await eventually("writers and readers that are led", async () => {
    const [writers, readers] = await Promise.all([
      cluster.leads({ service: "rw", addresses: 1 }),
      cluster.leads({ service: "ro", addresses: 2 }),
    ]);
    return writers && readers;
  });
  await everythingIsEncrypted(cluster, first);
  const before = await cluster.record();
  // So that it is seen who says where writers go from then on.
  await cluster.empty("rw");
  await cluster.signalAgent(first, "SIGKILL");
  await cluster.tellEnd(first);
  const second = await cluster.primary({ standbys: 1, not: first });
  await eventually(
    "writers that are led to the new primary, and readers to the one standby left",
    async () => {
      const [writers, readers] = await Promise.all([
        cluster.leads({ service: "rw", addresses: 1 }),
        cluster.leads({ service: "ro", addresses: 1 }),
      ]);
      return writers && readers;
    },
  );
  const after = await cluster.record();
  assert.equal(after?.ended?.member, first);
  assert((after?.term ?? 0) > (before?.term ?? 0));
  assert.deepEqual(await cluster.query(second, "SELECT one FROM kept"), [{ one: 1 }]);
  await cluster.startAgent(first);
  assert.equal(await cluster.primary({ standbys: 2 }), second);
});

/** Streams by certificate, each member known by its name. */
async function everythingIsEncrypted(cluster: PodAgents, primary: string): Promise<void> {
  const streams = await cluster.query(
    primary,
    "SELECT ssl, usename::text AS role FROM pg_stat_replication JOIN pg_stat_ssl USING (pid)",
  );
  assert.equal(streams.length, 2);
  for (const stream of streams)
    assert.deepEqual(stream, { ssl: true, role: "understudy_replication" });
  const members = Object.entries((await cluster.record())?.members ?? {});
  for (const [name, { tlsName }] of members) assert.equal(tlsName, name);
}

test("a certificate that is renewed is shown by agent and server, and nothing is started again for it", async () => {
  await using subject = await agentsOfOwnServer({ standbys: 1 });
  const { cluster } = subject;
  const primary = await cluster.primary({ standbys: 1 });
  const begun = "SELECT pid, pg_postmaster_start_time()::text AS since FROM pg_stat_replication";
  const [before, shown] = [
    await cluster.query(primary, begun),
    await cluster.shownCertificates(primary),
  ];
  await cluster.renewCertificates();
  await eventually("a renewed certificate of agent and server", async () => {
    const now = await cluster.shownCertificates(primary);
    return now.agent !== shown.agent && now.server !== shown.server;
  });
  assert.deepEqual(await cluster.query(primary, begun), before);
  assert.equal((await cluster.status(primary)).role, "primary");
});

test("a primary that is told to end hands over first, and comes back as a standby", async () => {
  await using subject = await agentsOfOwnServer({ standbys: 1 });
  const { cluster } = subject;
  const first = await cluster.primary({ standbys: 1 });
  await cluster.query(first, "CREATE TABLE kept AS SELECT 1 AS one");
  await eventually("a standby that is known to have all", async () => {
    const [row] = await cluster.query(
      first,
      "SELECT replay_lsn = pg_current_wal_lsn() AS whole FROM pg_stat_replication",
    );
    return row?.["whole"] === true && (await cluster.status("izdb-2")).state === "streaming";
  });
  await cluster.signalAgent(first, "SIGTERM");
  const record = await cluster.record();
  assert.equal(record?.ended?.member, first);
  assert.equal(record.ended.rule, "switchover-on-leave", await cluster.logs());
  assert.equal(record.history.at(-1)?.reason, "take-named-lease");
  // It has left by itself, so nobody need prove that.
  assert.equal(record?.members[first]?.session, undefined);
  const second = await cluster.primary({ standbys: 0, not: first });
  await cluster.startAgent(first);
  assert.equal(await cluster.primary({ standbys: 1 }), second);
  assert.deepEqual(await cluster.query(first, "SELECT one FROM kept"), [{ one: 1 }]);
});

test("an API server that is away for longer than a lease demotes nobody, and a primary of which nothing is heard for a lease is succeeded", async () => {
  await using subject = await agentsOfOwnServer({ standbys: 2 });
  const { cluster, server } = subject;
  const first = await cluster.primary({ standbys: 2 });
  await server.signal("kube-apiserver", "SIGKILL");
  const isOpen = async () => {
    const rows = await cluster.query(first, "CREATE TABLE IF NOT EXISTS kept AS SELECT 1 AS one");
    return Array.isArray(rows);
  };
  const until = performance.now() + AWAY_MS;
  await eventually("a lease and a half without the store", async () => {
    assert(await isOpen());
    return performance.now() > until;
  });
  await server.startServer();
  const before = await cluster.record();
  assert.equal(before?.leader?.member, first);
  await eventually("a renewal after that", async () => {
    const record = await cluster.record();
    return (record?.leader?.renewals ?? 0) > (before?.leader?.renewals ?? 0);
  });
  // No kubelet says anything: as when its node was powered off.
  await cluster.signalAgent(first, "SIGKILL");
  const second = await cluster.primary({ standbys: 1, not: first });
  assert.deepEqual(await cluster.query(second, "SELECT one FROM kept"), [{ one: 1 }]);
});
