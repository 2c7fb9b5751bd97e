import assert from "node:assert/strict";
import { after, test } from "node:test";
import { bumpGeneration, renewLease, takeLease } from "../../../src/core/record-changes.ts";
import { newRecord } from "../../../src/core/record.ts";
import { KubernetesApi } from "../../../src/kubernetes-api/api.ts";
import { kindOfObject, LEASE } from "../../../src/kubernetes-api/kinds.ts";
import type { KubernetesObject } from "../../../src/kubernetes-api/resource.ts";
import { rights } from "../../../src/kubernetes/objects/rights.ts";
import { KubernetesStore } from "../../../src/store/kubernetes-store.ts";
import { changeRecord } from "../../../src/store/store.ts";
import { conformance } from "../../store/conformance.ts";
import { clusterWith } from "../../support/postgres-clusters.ts";
import { eventually } from "../../support/eventually.ts";
import { ApiServer } from "../cluster/api-server.ts";

const CLUSTER = "izdb";
/** Its service account is that of the sample cluster's agents, in a namespace of the test's own. */
const AGENTS_NAMESPACE = "agents";
const AGENTS = `system:serviceaccount:${AGENTS_NAMESPACE}:izdb-agents`;

const server = await ApiServer.start({ users: [AGENTS] });
after(() => server[Symbol.asyncDispose]());
let namespaces = 0;

/** Stores in a namespace of their own. */
async function stores(options: { user?: string; namespace?: string } = {}) {
  namespaces += 1;
  const namespace = options.namespace ?? `space-${namespaces}`;
  await server.makeNamespace(namespace);
  const opened = new AsyncDisposableStack();
  const open = (user?: string) => {
    const api = opened.use(new KubernetesApi({ access: server.access(user) }));
    return opened.use(new KubernetesStore({ api, namespace, cluster: CLUSTER }));
  };
  const api = opened.use(new KubernetesApi({ access: server.access() }));
  return { open, namespace, api, [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose]() };
}

function sample() {
  const members = { "izdb-1": { host: "10.0.0.1", port: 5432, apiPort: 8008, tags: {} } };
  return newRecord({ cluster: CLUSTER, founder: "izdb-1", ttlMs: 10_000, members });
}

conformance("kubernetes, a real API server", () => stores());

test("a lease that is taken, renewed and freed is so in the Lease's own fields as well", async () => {
  await using subject = await stores();
  const store = subject.open();
  const place = { namespace: subject.namespace, name: CLUSTER };
  const first = await store.write({ record: sample(), expected: null, durable: true });
  assert(first);
  const position = { lsn: null, timeline: null };
  const at = "2026-11-23T01:00:00.000Z";
  const taken = await changeRecord(store, (record) =>
    takeLease(record, { member: "izdb-1", position, at, reason: "test" }),
  );
  assert.equal(taken?.record.leader?.member, "izdb-1");
  const held = await subject.api.get<KubernetesObject & { spec?: object }>(LEASE, place);
  const spec = Object(held?.spec);
  assert.equal(spec.holderIdentity, "izdb-1");
  assert.match(spec.renewTime, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
  const renewed = await changeRecord(store, (record) =>
    renewLease(record, {
      member: "izdb-1",
      term: record.term,
      position: { lsn: "0/3000000", timeline: 1 },
    }),
  );
  assert.equal(renewed?.record.leader?.lsn, "0/3000000");
  assert.deepEqual(await subject.open().read(), renewed);
});

test("agents do with their rights all that the store does, and nothing else", async () => {
  await using subject = await stores({ namespace: AGENTS_NAMESPACE });
  for (const object of rights(clusterWith({}, { namespace: AGENTS_NAMESPACE, uid: undefined }))) {
    const made = await subject.api.create(kindOfObject(object), object);
    assert.equal(made.kind, "changed");
  }
  const { apiVersion, kind } = LEASE;
  for (const name of [CLUSTER, "other"]) {
    const metadata = { name, namespace: AGENTS_NAMESPACE };
    await subject.api.create(LEASE, { apiVersion, kind, metadata });
  }
  const store = subject.open(AGENTS);
  assert.equal(await store.read(), null);
  assert(await store.write({ record: sample(), expected: null, durable: true }));
  let seen = 0;
  using _watch = store.watch(() => (seen += 1));
  await changeRecord(subject.open(AGENTS), bumpGeneration);
  await eventually("a change that an agent hears of", () => seen > 0);

  using api = new KubernetesApi({ access: server.access(AGENTS) });
  const forbidden = { code: "KUBERNETES_FORBIDDEN" };
  const place = { namespace: AGENTS_NAMESPACE, name: "other" };
  await assert.rejects(api.get(LEASE, place), forbidden);
  await assert.rejects(api.patch(LEASE, { place, patch: {} }), forbidden);
  await assert.rejects(api.list(LEASE, { namespace: AGENTS_NAMESPACE }), forbidden);
  await assert.rejects(api.delete(LEASE, { ...place, name: CLUSTER }), forbidden);
  const created = { apiVersion, kind, metadata: { ...place, name: "third" } };
  await assert.rejects(api.create(LEASE, created), forbidden);
});

test("rights that are taken away for a while are a store that is away for a while", async () => {
  await using subject = await stores({ namespace: `${AGENTS_NAMESPACE}-later` });
  const cluster = clusterWith({}, { namespace: subject.namespace, uid: undefined });
  const user = { kind: "User", name: AGENTS, apiGroup: "rbac.authorization.k8s.io" };
  const objects: KubernetesObject[] = [];
  for (const object of rights(cluster))
    objects.push(object.kind === "RoleBinding" ? withSubject(object, user) : object);
  const binding = objects.find(({ kind }) => kind === "RoleBinding");
  assert(binding);
  for (const object of objects) await subject.api.create(kindOfObject(object), object);
  const written = await subject.open().write({ record: sample(), expected: null, durable: true });
  const store = subject.open(AGENTS);
  const readable = () =>
    store.read().then(
      () => true,
      () => false,
    );
  await eventually("a record that agents may read", readable);
  assert.deepEqual(await store.read(), written);
  let seen = 0;
  using _watch = store.watch(() => (seen += 1));
  // What it has read itself it is not told.
  await eventually("a watch that has begun", async () => {
    await changeRecord(subject.open(AGENTS), bumpGeneration);
    return seen > 0;
  });
  const place = { namespace: subject.namespace, name: binding.metadata.name };
  assert.equal(await subject.api.delete(kindOfObject(binding), place), "deleted");
  await eventually("a record that agents may not read", async () => !(await readable()));
  await assert.rejects(store.read(), { code: "STORE_UNAVAILABLE" });
  await subject.api.create(kindOfObject(binding), binding);
  await eventually("a record that agents may read again", readable);
  const before = seen;
  await changeRecord(subject.open(AGENTS), bumpGeneration);
  await eventually("a change that is heard of after that", () => seen > before);
});

function withSubject(binding: KubernetesObject, subject: object): KubernetesObject {
  return Object.assign({}, binding, { subjects: [subject] });
}

test("an API server that is killed and comes back loses no change, and none of its watchers", async () => {
  await using subject = await stores();
  const [store, watcher] = [subject.open(), subject.open()];
  assert(await store.write({ record: sample(), expected: null, durable: true }));
  let seen = 0;
  using _watch = watcher.watch(() => (seen += 1));
  const changed = await changeRecord(store, bumpGeneration);
  await eventually("a watch that has begun", () => seen > 0);
  await server.signal("kube-apiserver", "SIGKILL");
  await assert.rejects(store.read(), { code: "STORE_UNAVAILABLE" });
  await server.startServer();
  await eventually("a store that answers again", () =>
    store.read().then(
      (read) => read?.revision === changed?.revision,
      () => false,
    ),
  );
  const before = seen;
  await changeRecord(store, bumpGeneration);
  await eventually("a change that is heard of after that", () => seen > before);
});

test("an API server that stands still is a store that is away, and is waited for in vain by nobody", async () => {
  await using subject = await stores();
  const store = subject.open();
  const first = await store.write({ record: sample(), expected: null, durable: true });
  await server.signal("kube-apiserver", "SIGSTOP");
  try {
    await assert.rejects(store.read(), { code: "STORE_UNAVAILABLE" });
  } finally {
    await server.signal("kube-apiserver", "SIGCONT");
  }
  await eventually("a store that answers again", () =>
    store.read().then(
      (read) => read?.revision === first?.revision,
      () => false,
    ),
  );
});

test("a watch goes on from what is too old for the server, after that has forgotten it", async () => {
  await using subject = await stores();
  const [store, watcher] = [subject.open(), subject.open()];
  assert(await store.write({ record: sample(), expected: null, durable: true }));
  let seen = 0;
  using _watch = watcher.watch(() => (seen += 1));
  await changeRecord(store, bumpGeneration);
  await eventually("a watch that has begun", () => seen > 0);
  await server.signal("kube-apiserver", "SIGKILL");
  // Its own memory of the last changes is gone with it; etcd's goes now.
  await server.compact();
  await server.startServer();
  const before = seen;
  await eventually("a change that is made", async () => {
    return (await changeRecord(store, bumpGeneration)) !== null;
  });
  await eventually("a change that is heard of after that", () => seen > before);
});
