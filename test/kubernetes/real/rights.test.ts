// What whoever has stolen the token of one agent may do in the Kubernetes API: what agents do, and
// nothing else.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { KubernetesApi } from "../../../src/kubernetes-api/api.ts";
import { kindOfObject, LEASE, POD, POSTGRES_CLUSTER } from "../../../src/kubernetes-api/kinds.ts";
import type { KubernetesObject, ResourceKind } from "../../../src/kubernetes-api/resource.ts";
import { kindOf, STATEFUL_SET } from "../../../src/kubernetes/operator/reading.ts";
import { ApiServer } from "../cluster/api-server.ts";
import { OPERATOR, operatorOn } from "../operated-cluster.ts";

const AGENTS = "system:serviceaccount:shop:izdb-agents";
const SLICE = kindOf("discovery.k8s.io/v1beta1", "EndpointSlice");
const SECRET = kindOf("v1", "Secret");
const RIGHTS = "rbac.authorization.k8s.io/v1";
const patch = { metadata: { annotations: { any: "any" } } };

const server = await ApiServer.start({ users: [OPERATOR, AGENTS] });
after(() => server[Symbol.asyncDispose]());
await server.makeNamespace("shop");
await server.makeNamespace("other");

const inShop = (name: string) => ({ namespace: "shop", name });

test("an agent's token changes the record and the endpoints of its own cluster, and nothing else", async () => {
  await using operator = await operatorOn(server);
  const { administrator } = operator;
  await operator.onePass();
  await operator.makePod("izdb-1");
  using agent = new KubernetesApi({ access: server.access(AGENTS) });
  for (const { apiVersion, kind } of [LEASE, SLICE]) {
    const body = kind === "EndpointSlice" ? { addressType: "IPv4", endpoints: [] } : {};
    for (const metadata of [
      { namespace: "shop", name: "another" },
      { namespace: "other", name: kind === "Lease" ? "izdb" : "izdb-rw" },
    ]) {
      const object = { apiVersion, kind, metadata, ...body } as KubernetesObject;
      await administrator.create(kindOfObject(object), object);
    }
  }
  await agent.get(LEASE, inShop("izdb"));
  await agent.patch(LEASE, { place: inShop("izdb"), patch });
  for (const slice of ["izdb-rw", "izdb-ro"]) {
    await agent.get(SLICE, inShop(slice));
    await agent.patch(SLICE, { place: inShop(slice), patch });
  }
  await agent.get(POD, inShop("izdb-1-0"));

  const all: readonly ResourceKind[] = [
    ...["Secret", "ConfigMap", "Service", "ServiceAccount", "PersistentVolumeClaim"].map((each) =>
      kindOf("v1", each),
    ),
    POD,
    LEASE,
    SLICE,
    STATEFUL_SET,
    kindOf(RIGHTS, "Role"),
    kindOf(RIGHTS, "RoleBinding"),
    kindOf("networking.k8s.io/v1", "NetworkPolicy"),
    kindOf("policy/v1beta1", "PodDisruptionBudget"),
    POSTGRES_CLUSTER,
  ];
  const attempts: Record<string, () => Promise<unknown>> = {};
  for (const kind of all) {
    const name = kind === LEASE || kind === POSTGRES_CLUSTER ? "izdb" : "izdb-rw";
    const object = { apiVersion: kind.apiVersion, kind: kind.kind, metadata: inShop("new") };
    attempts[`list ${kind.plural}`] = () => agent.list(kind, { namespace: "shop" });
    attempts[`list all ${kind.plural}`] = () => agent.list(kind, {});
    attempts[`create ${kind.plural}`] = () => agent.create(kind, object as KubernetesObject);
    attempts[`delete ${kind.plural}`] = () => agent.delete(kind, inShop(name));
    attempts[`read other ${kind.plural}`] = () => agent.get(kind, inShop("another"));
    attempts[`change other ${kind.plural}`] = () =>
      agent.patch(kind, { place: inShop("another"), patch });
    const elsewhere = { namespace: "other", name };
    attempts[`read ${kind.plural} elsewhere`] = () => agent.get(kind, elsewhere);
    attempts[`change ${kind.plural} elsewhere`] = () =>
      agent.patch(kind, { place: elsewhere, patch });
  }
  for (const which of ["superuser", "app", "agents", "ca", "replication"])
    attempts[`read the Secret ${which}`] = () => agent.get(SECRET, inShop(`izdb-${which}`));
  const configMap = inShop("izdb-specification");
  const pod = inShop("izdb-1-0");
  Object.assign(attempts, {
    "read the specification": () => agent.get(kindOf("v1", "ConfigMap"), configMap),
    "change its own pod": () => agent.patch(POD, { place: pod, patch }),
    "delete its own pod": () => agent.delete(POD, pod),
    "change the cluster": () => agent.patch(POSTGRES_CLUSTER, { place: inShop("izdb"), patch }),
    "change its own rights": () =>
      agent.patch(kindOf(RIGHTS, "Role"), { place: inShop("izdb-agents"), patch }),
  });
  for (const [what, attempt] of Object.entries(attempts))
    await assert.rejects(attempt, { code: "KUBERNETES_FORBIDDEN" }, what);
  const at = { namespace: "shop", pod: "izdb-1-0", port: 8008 };
  // The API server's own answer.
  assert.equal((await agent.askPod(at, { method: "GET", path: "/status" })).status, 403);

  // Whose a slice is, and to which port it leads, the operator puts back.
  const before = Object(await administrator.get(SLICE, inShop("izdb-rw")));
  const labels = { "kubernetes.io/service-name": "another", "understudy.dev/cluster": null };
  const port = { name: "postgresql", port: 22, protocol: "TCP" };
  const stray = { metadata: { labels }, ports: [port] };
  await agent.patch(SLICE, { place: inShop("izdb-rw"), patch: stray });
  await operator.onePass();
  const now = Object(await administrator.get(SLICE, inShop("izdb-rw")));
  assert.deepEqual(now.metadata.labels, before.metadata.labels);
  assert.deepEqual(now.ports, before.ports);
});
