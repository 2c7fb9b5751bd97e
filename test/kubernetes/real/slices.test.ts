// Who says where a cluster's services lead, on a real Kubernetes API.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ServiceSlices } from "../../../src/agent/service-slices.ts";
import { KubernetesApi } from "../../../src/kubernetes-api/api.ts";
import { kindOfObject } from "../../../src/kubernetes-api/kinds.ts";
import type { KubernetesObject } from "../../../src/kubernetes-api/resource.ts";
import { clusterObjects } from "../../../src/kubernetes/objects/cluster-objects.ts";
import { eventually } from "../../support/eventually.ts";
import { clusterWith, PASSWORDS, SURROUNDINGS, TRUSTED } from "../../support/postgres-clusters.ts";
import { ApiServer } from "../cluster/api-server.ts";

const HAS = { policyV1: false, discoveryV1: false };
const SYSTEM = "7301234567890123456";

test("a leader of before, which stood still, does not take the services from its successor", async () => {
  await using server = await ApiServer.start({ users: [] });
  using api = new KubernetesApi({ access: server.access() });
  await server.makeNamespace("shop");
  const surroundings = { ...SURROUNDINGS, has: HAS };
  const cluster = clusterWith({}, { uid: undefined });
  const { founded } = clusterObjects(cluster, {
    passwords: PASSWORDS,
    trusted: TRUSTED,
    surroundings,
  });
  const slices = founded.filter(({ kind }) => kind === "EndpointSlice");
  for (const slice of slices) await api.create(kindOfObject(slice), slice);
  const [slice] = slices;
  assert.ok(slice);
  const addresses = async () => {
    const place = { namespace: "shop", name: "izdb-rw" };
    const found = await api.get<KubernetesObject>(kindOfObject(slice), place);
    const endpoints: { addresses: string[] }[] = Object(found).endpoints ?? [];
    return endpoints.flatMap((each) => each.addresses).join();
  };
  const troubles: string[] = [];
  const leader = () =>
    new ServiceSlices({
      api,
      namespace: "shop",
      write: "izdb-rw",
      read: "izdb-ro",
      onTrouble: (why) => troubles.push(why),
    });
  using old = leader();
  using succeeding = leader();
  old.put({ reign: { term: 1, systemId: SYSTEM }, write: "10.0.0.1", read: [] });
  await eventually("the first leader's address", async () => (await addresses()) === "10.0.0.1");
  succeeding.put({ reign: { term: 2, systemId: SYSTEM }, write: "10.0.0.2", read: [] });
  await eventually("its successor's", async () => (await addresses()) === "10.0.0.2");
  // It has not seen yet that it is succeeded, and has another address to tell.
  old.put({ reign: { term: 1, systemId: SYSTEM }, write: "10.0.0.3", read: ["10.0.0.3"] });
  await eventually("an end of what it tries", async () => !old.isBusy);
  assert.equal(await addresses(), "10.0.0.2");
  // Both at once: whoever is the later one by term has the last word.
  for (let term = 3; term < 8; term += 1) {
    old.put({ reign: { term: 1, systemId: SYSTEM }, write: `10.0.1.${term}`, read: null });
    succeeding.put({ reign: { term, systemId: SYSTEM }, write: `10.0.2.${term}`, read: null });
    await eventually("both at rest", async () => !old.isBusy && !succeeding.isBusy);
    assert.equal(await addresses(), `10.0.2.${term}`);
  }
  // A cluster that was made anew under the name begins with its first term.
  succeeding.forget();
  old.put({ reign: { term: 1, systemId: "7" }, write: "10.0.0.9", read: null });
  await eventually("the new cluster's address", async () => (await addresses()) === "10.0.0.9");
  assert.deepEqual(troubles, []);
});
