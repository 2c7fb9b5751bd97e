// A cluster whose record somebody has deleted, on a real Kubernetes API.
import assert from "node:assert/strict";
import { test } from "node:test";
import { LEASE } from "../../../src/kubernetes-api/kinds.ts";
import type { KubernetesObject } from "../../../src/kubernetes-api/resource.ts";
import { eventually } from "../../support/eventually.ts";
import { takePortBlock } from "../../support/port-block.ts";
import { ApiServer } from "../cluster/api-server.ts";
import { PodAgents } from "../pod-agents.ts";

async function agents() {
  const opened = new AsyncDisposableStack();
  const ports = opened.use(await takePortBlock());
  const users = ["system:serviceaccount:shop:izdb-agents"];
  const server = opened.use(await ApiServer.start({ users }));
  const cluster = opened.use(await PodAgents.start(server, { standbys: 1, port: ports.first + 1 }));
  return { cluster, [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose]() };
}

/** As `kubectl delete lease` and an operator that makes it again, without a record in it. */
async function loseRecord({ api, cluster: { namespace, name } }: PodAgents): Promise<void> {
  await api.delete(LEASE, { namespace, name });
  const { apiVersion, kind } = LEASE;
  await api.create<KubernetesObject>(LEASE, { apiVersion, kind, metadata: { namespace, name } });
}

/** As a person who names the member whose data is to count. */
async function adopt({ api, cluster }: PodAgents, member: string): Promise<void> {
  const { namespace, name } = cluster;
  const patch = { metadata: { annotations: { "understudy.dev/adopt": member } } };
  await api.patch(LEASE, { place: { namespace, name }, patch });
}

test("a record that was deleted is written back by its leader, and no member founds another cluster in its place", async () => {
  await using subject = await agents();
  const { cluster } = subject;
  const first = await cluster.primary({ standbys: 1 });
  await cluster.query(first, "CREATE TABLE kept AS SELECT 1 AS one");
  const before = await cluster.record();
  assert(before);
  await loseRecord(cluster);
  await eventually("the record, written back", async () => {
    const record = await cluster.record();
    assert.notEqual(record?.term, 0, "nothing is founded");
    return record?.term === before.term && record.leader?.member === first;
  });
  assert.deepEqual((await cluster.record())?.members, before.members);
  // Whoever comes now finds it as it was.
  const standby = first === "izdb-1" ? "izdb-2" : "izdb-1";
  await cluster.signalAgent(standby, "SIGTERM");
  await cluster.startAgent(standby);
  assert.equal(await cluster.primary({ standbys: 1 }), first);
  assert.match(await cluster.logs(), /record-put-back/);
});

test("where no leader is left that could, nothing is founded, and the member that a person names leads with its data", async () => {
  await using subject = await agents();
  const { cluster } = subject;
  const first = await cluster.primary({ standbys: 1 });
  await cluster.query(first, "CREATE TABLE kept AS SELECT 1 AS one");
  const before = await cluster.record();
  assert(before);
  for (const member of cluster.members) await cluster.signalAgent(member, "SIGKILL");
  await loseRecord(cluster);
  for (const member of cluster.members) await cluster.startAgent(member);
  await eventually("members that say what is to be done", async () => {
    const logs = await cluster.logs();
    return cluster.members.every((member) =>
      logs.includes(`${member} has data of it, so nothing is founded here`),
    );
  });
  assert.equal(await cluster.record(), null);
  // For as long as they wait their containers are not started again.
  for (const member of cluster.members) assert.ok(await cluster.isAlive(member));
  await adopt(cluster, first);
  assert.equal(await cluster.primary({ standbys: 1 }), first);
  assert.deepEqual(await cluster.query(first, "SELECT one FROM kept"), [{ one: 1 }]);
  const after = await cluster.record();
  assert.equal(after?.systemId, before.systemId);
  assert.ok((after?.term ?? 0) > before.term + 1);
});
