// What has one of a cluster's names and is not the cluster's, as another operator's would have that
// has a cluster of the same name.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { kindOfObject, POSTGRES_CLUSTER } from "../../../src/kubernetes-api/kinds.ts";
import type { KubernetesObject } from "../../../src/kubernetes-api/resource.ts";
import { STATEFUL_SET } from "../../../src/kubernetes/operator/reading.ts";
import type { PostgresClusterStatus } from "../../../src/kubernetes/resource/status-schema.ts";
import { ApiServer } from "../cluster/api-server.ts";
import { OPERATOR, operatorOn } from "../operated-cluster.ts";

const server = await ApiServer.start({ users: [OPERATOR] });
after(() => server[Symbol.asyncDispose]());
await server.makeNamespace("shop");

const text = (value: string) => Buffer.from(value).toString("base64");
const port = { name: "postgres", port: 5432, targetPort: 5432, protocol: "TCP" };

/** In the namespace of the cluster, without its label. */
function foreign(
  kind: string,
  of: { name: string; body: Readonly<Record<string, unknown>>; apiVersion?: string },
): KubernetesObject {
  const { name, body, apiVersion = "v1" } = of;
  const labels = { "cnpg.io/cluster": "izdb" };
  return Object.assign({ apiVersion, kind, metadata: { name, namespace: "shop", labels } }, body);
}

const FOREIGN = [
  foreign("Service", {
    name: "izdb-rw",
    body: { spec: { selector: { "cnpg.io/cluster": "izdb" }, ports: [port] } },
  }),
  foreign("Secret", { name: "izdb-app", body: { data: { password: text("theirs") } } }),
  foreign("Secret", {
    name: "izdb-ca",
    body: { data: { "ca.crt": text("a"), "ca.key": text("b") } },
  }),
  foreign("Secret", { name: "izdb-replication", body: { data: { "tls.crt": text("c") } } }),
  foreign("PersistentVolumeClaim", {
    name: "izdb-1-data",
    body: {
      spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
    },
  }),
  foreign("PodDisruptionBudget", {
    apiVersion: "policy/v1beta1",
    name: "izdb",
    body: { spec: { minAvailable: 1, selector: { matchLabels: { "cnpg.io/cluster": "izdb" } } } },
  }),
  foreign("Lease", { apiVersion: "coordination.k8s.io/v1", name: "izdb", body: { spec: {} } }),
];

test("another's objects of the same names are neither changed nor used, and named with a remedy", async () => {
  await using operator = await operatorOn(server);
  const { administrator } = operator;
  const present = async ({ apiVersion, kind, metadata }: KubernetesObject) => {
    const found = kindOfObject({ apiVersion, kind, metadata });
    return administrator.get(found, { namespace: "shop", name: metadata.name });
  };
  for (const object of FOREIGN) await administrator.create(kindOfObject(object), object);
  const before = await Promise.all(FOREIGN.map(present));
  for (let passes = 0; passes < 2; passes += 1) await operator.onePass();
  // Its uid and version as well: nothing has been written.
  assert.deepEqual(await Promise.all(FOREIGN.map(present)), before);
  const place = { namespace: "shop", name: "izdb" };
  const accepted = async () => {
    const object = await administrator.get(POSTGRES_CLUSTER, place);
    const status: PostgresClusterStatus = Object(object).status ?? {};
    return status.conditions?.find(({ type }) => type === "Accepted");
  };
  const told = await accepted();
  assert.equal(told?.status, "False");
  for (const { kind, metadata } of FOREIGN)
    assert.match(told.message, new RegExp(`${kind} ${metadata.name} is there and is not of`));
  assert.match(told.message, /kubectl label secrets izdb-app understudy\.dev\/cluster=izdb/);
  const { items: none } = await administrator.list(STATEFUL_SET, { namespace: "shop" });
  assert.deepEqual(none, [], "no member uses what is another's");

  for (const { apiVersion, kind, metadata } of FOREIGN) {
    const found = kindOfObject({ apiVersion, kind, metadata });
    if (kind === "PersistentVolumeClaim") {
      // Somebody says that it is meant for it.
      const patch = { metadata: { labels: { "understudy.dev/cluster": "izdb" } } };
      const at = { namespace: "shop", name: metadata.name };
      await administrator.patch(found, { place: at, patch });
    } else await administrator.delete(found, { namespace: "shop", name: metadata.name });
  }
  await operator.onePass();
  await operator.onePass();
  assert.equal((await accepted())?.status, "True", (await accepted())?.message);
  const { items } = await administrator.list(STATEFUL_SET, { namespace: "shop" });
  assert.deepEqual(
    items.map(({ metadata }) => metadata.name),
    ["izdb-1", "izdb-2"],
  );
});
