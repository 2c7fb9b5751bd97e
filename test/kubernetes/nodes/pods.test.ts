// A PostgresCluster on a real Kubernetes with three nodes: from one object to a primary with two
// standbys, applications by its services, and what befalls pods and nodes.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { kindOfObject, POD } from "../../../src/kubernetes-api/kinds.ts";
import { eventually } from "../../support/eventually.ts";
import { Kubernetes } from "../cluster/kubernetes.ts";
import { PodCluster } from "../pod-cluster.ts";
import { POD_FAULTS, strike } from "../pod-faults.ts";
import { installOperator, operatorPods, scaleOperator } from "../pod-operator.ts";
import { ask } from "../service-client.ts";

const SERVICE = kindOfObject({ apiVersion: "v1", kind: "Service", metadata: { name: "" } });

const kubernetes = await Kubernetes.start({ nodes: 3 });
after(() => kubernetes[Symbol.asyncDispose]());
await kubernetes.addVolumes();
await installOperator(kubernetes);
await kubernetes.server.makeNamespace("shop");
const cluster = PodCluster.in(kubernetes, "shop");
await cluster.apply({ sync: { mode: "on", required: 1 } });
after(() => cluster[Symbol.asyncDispose]());

test("one object becomes a primary with two standbys, which applications write to and read from", async () => {
  const primary = await cluster.untilStreaming({ standbys: 2 });
  const nodes = await Promise.all(
    Object.keys((await cluster.record())?.members ?? {}).map((member) => cluster.nodeOf(member)),
  );
  assert.equal(new Set(nodes).size, 3, `on ${nodes.join(", ")}`);
  await eventually("acknowledged commits are promised", async () => {
    return (await cluster.record())?.sync.guarantee !== null;
  });
  await ask(await cluster.login("write"), "CREATE TABLE kept AS SELECT 1 AS one");
  await eventually("a standby that answers readers", async () => {
    const [row] = await ask(
      await cluster.login("read"),
      "SELECT pg_is_in_recovery() AS recovers, (SELECT one FROM kept) AS one",
    );
    return row?.["recovers"] === true && row["one"] === 1;
  });
  assert.equal((await cluster.record())?.leader?.member, primary);
});

for (const fault of Object.values(POD_FAULTS))
  test(`no acknowledged row is lost, and all members stream again: ${fault.words}`, async () => {
    const seen = await strike(cluster, fault);
    assert.deepEqual({ lost: seen.lost, doubled: seen.doubled }, { lost: 0, doubled: 0 });
  });

test("an operator that comes back makes again what is gone, and restarts nobody", async () => {
  await scaleOperator(kubernetes, 0);
  const before = await podIds();
  await scaleOperator(kubernetes, 1);
  await removeReadService();
  assert.deepEqual(await podIds(), before);
});

test("of two operators one is at work, and the other when that one is gone", async () => {
  await scaleOperator(kubernetes, 2);
  await removeReadService();
  for (const pod of await operatorPods(kubernetes)) {
    await kubernetes.api.delete(POD, { namespace: "understudy", name: pod });
    await removeReadService();
  }
  await scaleOperator(kubernetes, 1);
  await cluster.untilStreaming({ standbys: 2 });
});

/** By hand; an operator that is at work makes it again. */
async function removeReadService(): Promise<void> {
  const { api } = kubernetes;
  const place = { namespace: cluster.at.namespace, name: `${cluster.at.name}-r` };
  await api.delete(SERVICE, place);
  await eventually("a service that is made again", async () => {
    return (await api.get(SERVICE, place)) !== null;
  });
}

async function podIds(): Promise<(string | undefined)[]> {
  const { items } = await kubernetes.api.list(POD, { namespace: cluster.at.namespace });
  return items.map(({ metadata }) => metadata.uid).sort();
}
