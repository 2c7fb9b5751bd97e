// That a real API server takes what Understudy makes of a cluster: the definition and all objects,
// and that to apply them again changes nothing.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { KubernetesApi } from "../../../src/kubernetes-api/api.ts";
import { kindOfObject, POSTGRES_CLUSTER } from "../../../src/kubernetes-api/kinds.ts";
import type { KubernetesObject, ResourceKind } from "../../../src/kubernetes-api/resource.ts";
import { clusterObjects, objectKey } from "../../../src/kubernetes/objects/cluster-objects.ts";
import { addressTypeOf } from "../../../src/kubernetes/operator/operator.ts";
import { operatorObjects } from "../../../src/kubernetes/objects/operator-objects.ts";
import { readPostgresCluster } from "../../../src/kubernetes/resource/postgres-cluster.ts";
import { clusterWith, PASSWORDS, SURROUNDINGS, TRUSTED } from "../../support/postgres-clusters.ts";
import { eventually } from "../../support/eventually.ts";
import { ApiServer } from "../cluster/api-server.ts";

const RIGHTS = "rbac.authorization.k8s.io/v1";
const INSTALLED: readonly ResourceKind[] = [
  { apiVersion: "v1", kind: "Namespace", plural: "namespaces" },
  { apiVersion: "v1", kind: "ServiceAccount", plural: "serviceaccounts" },
  { apiVersion: "apps/v1", kind: "Deployment", plural: "deployments" },
  { apiVersion: RIGHTS, kind: "ClusterRole", plural: "clusterroles" },
  { apiVersion: RIGHTS, kind: "ClusterRoleBinding", plural: "clusterrolebindings" },
  {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    plural: "customresourcedefinitions",
  },
];
/** 1.20, which the tests have, knows no rules in CEL. */
const OPERATOR_AT = { image: "understudy:test", namespace: "understudy", hasRules: false };
const OPERATOR = "system:serviceaccount:understudy:understudy-operator";

const server = await ApiServer.start({ users: [OPERATOR] });
const administrator = new KubernetesApi({ access: server.access() });
const operator = new KubernetesApi({ access: server.access(OPERATOR) });
after(async () => {
  administrator[Symbol.dispose]();
  operator[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
});

/** This server's versions of what had none yet. */
const surroundings = {
  ...SURROUNDINGS,
  has: {
    policyV1: await administrator.serves(kindOfObject(disruptionBudget("policy/v1"))),
    discoveryV1: await administrator.serves(kindOfObject(slice("discovery.k8s.io/v1"))),
  },
};

function disruptionBudget(apiVersion: string): KubernetesObject {
  return { apiVersion, kind: "PodDisruptionBudget", metadata: { name: "any" } };
}

function slice(apiVersion: string): KubernetesObject {
  return { apiVersion, kind: "EndpointSlice", metadata: { name: "any" } };
}

async function install(): Promise<void> {
  for (const object of operatorObjects(OPERATOR_AT)) {
    const kind = INSTALLED.find((each) => each.kind === object.kind);
    assert(kind, object.kind);
    const applied = await administrator.apply(kind, object, { force: true });
    assert.equal(applied.kind, "changed", objectKey(object));
  }
  await eventually("a definition that is served", () => administrator.serves(POSTGRES_CLUSTER));
}

test("what is installed is accepted, also a second time", async () => {
  await install();
  await install();
});

test("the operator with its own rights makes every object of a cluster, and makes no change by applying them again", async () => {
  await install();
  await server.makeNamespace("shop");
  for (const spec of [
    { services: { write: { type: "NodePort" }, read: { type: "LoadBalancer" } } },
    {
      storage: undefined,
      standbys: 1,
      members: [
        { claim: "nfs", subPath: "izdb/data" },
        { claim: "nfs-standby", subPath: "izdb/data" },
      ],
    },
  ]) {
    const name = "members" in spec ? "given" : "izdb";
    const wanted = {
      apiVersion: POSTGRES_CLUSTER.apiVersion,
      kind: POSTGRES_CLUSTER.kind,
      metadata: { name, namespace: "shop" },
      spec: { postgres: { image: "postgres:18" }, standbys: 2, storage: { size: "10Gi" }, ...spec },
    };
    const created = await administrator.create(POSTGRES_CLUSTER, withoutUndefined(wanted));
    assert(created.kind === "changed");
    const cluster = readPostgresCluster(created.object);
    const { founded, applied } = clusterObjects(cluster, {
      passwords: PASSWORDS,
      trusted: TRUSTED,
      surroundings,
    });
    for (const object of founded) {
      const made = await operator.create(kindOfObject(object), object);
      assert.equal(made.kind, "changed", objectKey(object));
    }
    const first = await applyAll(applied);
    assert.equal(first.size, applied.length);
    assert.deepEqual(await applyAll(applied), first);
  }
});

test("which family of addresses pods have is asked of the API server, which takes slices of both", async () => {
  await install();
  const { signal } = new AbortController();
  assert.equal(await addressTypeOf(operator, signal), "IPv4");
  await server.makeNamespace("six");
  const cluster = clusterWith({}, { namespace: "six", uid: undefined });
  const { founded } = clusterObjects(cluster, {
    passwords: PASSWORDS,
    trusted: TRUSTED,
    surroundings: { ...surroundings, addressType: "IPv6" },
  });
  const endpoints = [{ addresses: ["fd00::1"], conditions: { ready: true } }];
  for (const object of founded.filter(({ kind }) => kind === "EndpointSlice")) {
    await operator.create(kindOfObject(object), object);
    const place = { namespace: "six", name: object.metadata.name };
    const patched = await operator.patch(kindOfObject(object), { place, patch: { endpoints } });
    assert.equal(patched.kind, "changed");
  }
});

test("what a PostgresCluster must not be is refused by the definition itself", async () => {
  await install();
  const { apiVersion, kind } = POSTGRES_CLUSTER;
  await administrator.create(
    { apiVersion: "v1", kind: "Namespace", plural: "namespaces" },
    {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: "refused" },
    },
  );
  const metadata = { name: "wrong", namespace: "refused" };
  const postgres = { image: "postgres:18" };
  for (const spec of [
    { postgres, standbys: -1, storage: { size: "1Gi" } },
    { postgres, leaseSeconds: 1, storage: { size: "1Gi" } },
    { postgres, sync: { mode: "maybe" }, storage: { size: "1Gi" } },
    { standbys: 1, storage: { size: "1Gi" } },
  ])
    await assert.rejects(
      administrator.create(POSTGRES_CLUSTER, {
        apiVersion,
        kind,
        metadata,
        spec,
      } as KubernetesObject),
      { code: "KUBERNETES_REFUSED" },
      JSON.stringify(spec),
    );
});

/**
 * @returns each object as it is then, without the server's book on who has said what: 1.20 writes
 * the time anew into that of claims and StatefulSets, though nothing else is changed.
 */
async function applyAll(objects: readonly KubernetesObject[]): Promise<Map<string, object>> {
  const applied = new Map<string, object>();
  for (const object of objects) {
    const answer = await operator.apply(kindOfObject(object), object, { force: true });
    assert(answer.kind === "changed", objectKey(object));
    const { resourceVersion: _version, ...metadata } = answer.object.metadata;
    const content = { ...answer.object, metadata: { ...metadata, managedFields: undefined } };
    applied.set(objectKey(object), content);
  }
  return applied;
}

function withoutUndefined<T>(value: T): T {
  return JSON.parse(JSON.stringify(value));
}
