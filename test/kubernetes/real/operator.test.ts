import assert from "node:assert/strict";
import { after, test } from "node:test";
import { parameterObjections } from "../../../src/cli/kubernetes/parameter-objections.ts";
import { UnderstudyError } from "../../../src/core/errors.ts";
import { announcePrimary, takeLease } from "../../../src/core/record-changes.ts";
import { newRecord } from "../../../src/core/record.ts";
import { KubernetesApi } from "../../../src/kubernetes-api/api.ts";
import {
  EVENT,
  kindOfObject,
  LEASE,
  POD,
  POSTGRES_CLUSTER,
} from "../../../src/kubernetes-api/kinds.ts";
import type { KubernetesObject, ResourceKind } from "../../../src/kubernetes-api/resource.ts";
import { operatorObjects } from "../../../src/kubernetes/objects/operator-objects.ts";
import type { Agents } from "../../../src/kubernetes/operator/agents.ts";
import { runOperator } from "../../../src/kubernetes/operator/operator.ts";
import { listedKinds, STATEFUL_SET } from "../../../src/kubernetes/operator/reading.ts";
import type { PostgresClusterStatus } from "../../../src/kubernetes/resource/status-schema.ts";
import { KubernetesStore } from "../../../src/store/kubernetes-store.ts";
import { changeRecord } from "../../../src/store/store.ts";
import { SURROUNDINGS } from "../../support/postgres-clusters.ts";
import { eventually } from "../../support/eventually.ts";
import { ApiServer } from "../cluster/api-server.ts";

const OPERATOR = "system:serviceaccount:understudy:understudy-operator";
const SECRET = kind("v1", "Secret");
const CONFIG_MAP = kind("v1", "ConfigMap");
/** 1.20, which the tests have. */
const HAS = { policyV1: false, discoveryV1: false };

interface Cluster extends KubernetesObject {
  readonly spec: Readonly<Record<string, unknown>>;
  readonly status?: PostgresClusterStatus;
}

const server = await ApiServer.start({ users: [OPERATOR] });
const administrator = new KubernetesApi({ access: server.access() });
const ended = new AbortController();
const running: Promise<void>[] = [];
const troubles: string[] = [];
/** There is no kubelet here, so no agent that could answer. */
const nobody: Agents = {
  status: async () => {
    throw new UnderstudyError("MEMBER_UNREACHABLE", "no agent is here");
  },
  ask: async () => {
    throw new UnderstudyError("MEMBER_UNREACHABLE", "no agent is here");
  },
};
after(async () => {
  ended.abort();
  await Promise.all(running);
  administrator[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
});

for (const object of operatorObjects({
  image: "understudy:test",
  namespace: "understudy",
  hasRules: false,
}))
  await administrator.apply(kindOfObject(object), object, { force: true });
await eventually("a definition that is served", () => administrator.serves(POSTGRES_CLUSTER));
await server.makeNamespace("shop");
startOperator("first", ended.signal);

/** With the rights that are installed for it, and no others. */
function startOperator(self: string, signal: AbortSignal): Promise<void> {
  const api = new KubernetesApi({ access: server.access(OPERATOR) });
  const run = runOperator({
    api,
    agents: nobody,
    check: parameterObjections,
    surroundings: SURROUNDINGS,
    namespace: "understudy",
    self,
    onEvent: () => {},
    onTrouble: (why) => troubles.push(why.message),
    signal,
  }).finally(() => api[Symbol.dispose]());
  running.push(run);
  return run;
}

function kind(apiVersion: string, name: string): ResourceKind {
  return kindOfObject({ apiVersion, kind: name, metadata: { name: "" } });
}

function inShop(name: string): { namespace: string; name: string } {
  return { namespace: "shop", name };
}

function memberAt(host: string) {
  return { host, port: 5432, apiPort: 8008, tags: {} };
}

async function create(name: string, spec: Readonly<Record<string, unknown>>): Promise<void> {
  const { apiVersion, kind: called } = POSTGRES_CLUSTER;
  const created = await administrator.create(POSTGRES_CLUSTER, {
    apiVersion,
    kind: called,
    metadata: { name, namespace: "shop" },
    spec: { postgres: { image: "postgres:18" }, standbys: 1, ...spec },
  } as KubernetesObject);
  assert.equal(created.kind, "changed");
}

async function change(name: string, spec: Readonly<Record<string, unknown>>): Promise<void> {
  const place = { namespace: "shop", name };
  const changed = await administrator.patch(POSTGRES_CLUSTER, { place, patch: { spec } });
  assert.equal(changed.kind, "changed");
}

async function statusOf(name: string): Promise<PostgresClusterStatus> {
  const place = { namespace: "shop", name };
  const found = await administrator.get<Cluster>(POSTGRES_CLUSTER, place);
  return found?.status ?? {};
}

/** Until a condition has that status, and its message what is looked for. */
async function condition(
  name: string,
  wanted: { type: string; status: string; message: RegExp },
): Promise<void> {
  let seen = "";
  await eventually(
    `${name}: ${wanted.type} is ${wanted.status}, ${wanted.message}`,
    async () => {
      const status = await statusOf(name);
      seen = `${JSON.stringify(status)} ${troubles.slice(-3).join("; ")}`;
      const found = status.conditions?.find(({ type }) => type === wanted.type);
      return found?.status === wanted.status && wanted.message.test(found.message);
    },
    { seen: () => seen, stepMs: 200 },
  );
}

/** Every object that there is of a cluster, by kind and name: its version. */
async function versions(name: string): Promise<Map<string, string>> {
  const own = { namespace: "shop", labelSelector: `understudy.dev/cluster=${name}` };
  const kinds = [...listedKinds({ has: HAS }), STATEFUL_SET, SECRET, LEASE];
  const lists = await Promise.all(kinds.map((each) => administrator.list(each, own)));
  const place = { namespace: "shop", name };
  const cluster = await administrator.get<Cluster>(POSTGRES_CLUSTER, place);
  const all = [...lists.flatMap(({ items }) => items), ...(cluster === null ? [] : [cluster])];
  return new Map(
    all.map(({ kind: of, metadata }) => [`${of} ${metadata.name}`, metadata.resourceVersion ?? ""]),
  );
}

async function made(name: string, count: number): Promise<void> {
  let seen = "";
  await eventually(
    `${count} objects of ${name}`,
    async () => {
      const found = await versions(name);
      seen = `${[...found.keys()].join(", ")}; ${troubles.slice(-3).join("; ")}`;
      const status = await statusOf(name);
      return found.size === count && status.observedGeneration !== undefined;
    },
    { seen: () => seen, stepMs: 200 },
  );
}

/** The whole of a pass more, which an annotation that nobody reads asks for. */
async function anotherPass(name: string, note: string): Promise<void> {
  const place = { namespace: "shop", name: `${name}-specification` };
  const before = await administrator.get(CONFIG_MAP, place);
  assert(before);
  // A label that is put back tells that the pass was made.
  const patch = { metadata: { labels: { "app.kubernetes.io/name": note } } };
  await administrator.patch(CONFIG_MAP, { place, patch });
  await eventually("what was changed by hand is put back", async () => {
    const now = await administrator.get(CONFIG_MAP, place);
    return now?.metadata.labels?.["app.kubernetes.io/name"] === "postgresql";
  });
}

/** Objects of a cluster with one standby: 20 without its own volumes and set, and the resource. */
const OBJECTS_OF_TWO = 25;

test("a cluster is made with the operator's own rights, and a pass more writes nothing", async () => {
  await create("izdb", { storage: { size: "1Gi" } });
  await made("izdb", OBJECTS_OF_TWO);
  await condition("izdb", { type: "Ready", status: "False", message: /no agent answers/ });
  await anotherPass("izdb", "otherwise");
  const before = await versions("izdb");
  await anotherPass("izdb", "again");
  const now = await versions("izdb");
  const changed = [...now].filter(([key, version]) => before.get(key) !== version);
  assert.deepEqual(
    changed.map(([key]) => key),
    ["ConfigMap izdb-specification"],
  );
});

test("whatever is deleted by hand is made again, with the same passwords", async () => {
  await create("torn", { storage: { size: "1Gi" } });
  await made("torn", OBJECTS_OF_TWO);
  const password = async () => {
    const secret = await administrator.get(SECRET, inShop("torn-superuser"));
    return Object(Object(secret)["data"])["password"] as string | undefined;
  };
  const first = await password();
  assert(first);
  for (const [of, name] of [
    [kind("v1", "Service"), "torn-rw"],
    [STATEFUL_SET, "torn-2"],
    [kind("rbac.authorization.k8s.io/v1", "Role"), "torn-agents"],
    [kind("discovery.k8s.io/v1beta1", "EndpointSlice"), "torn-ro"],
    [LEASE, "torn"],
    [SECRET, "torn-superuser"],
    [CONFIG_MAP, "torn-specification"],
    [SECRET, "torn-1-tls"],
    [SECRET, "torn-ca"],
  ] as const) {
    assert.equal(await administrator.delete(of, inShop(name)), "deleted", name);
    await eventually(`${name} again`, () => administrator.get(of, inShop(name)), { stepMs: 200 });
  }
  assert.equal(await password(), first);
  const events = await administrator.list<KubernetesObject & { note?: string }>(EVENT, {
    namespace: "shop",
  });
  assert.ok(events.items.some(({ note }) => note?.includes("Service torn-rw")));
});

test("what cannot be done is told with its remedy, and what was done before is kept", async () => {
  await create("stays", { storage: { size: "1Gi" } });
  await made("stays", OBJECTS_OF_TWO);
  await change("stays", { postgres: { image: "postgres:17" } });
  await condition("stays", { type: "Accepted", status: "False", message: /needs an upgrade/ });
  const set = await administrator.get(STATEFUL_SET, { namespace: "shop", name: "stays-1" });
  assert.match(JSON.stringify(set), /"image":"postgres:18"/);
  await change("stays", {
    postgres: { image: "postgres:18", parameters: { wal_level: "minimal" } },
  });
  await condition("stays", { type: "Accepted", status: "False", message: /wal_level/ });
  await change("stays", { postgres: { image: "postgres:18", parameters: null } });
  await condition("stays", { type: "Accepted", status: "True", message: /can be done/ });

  await create("both", { storage: { size: "1Gi" }, members: [{ claim: "a" }, { claim: "b" }] });
  await condition("both", { type: "Accepted", status: "False", message: /either storage/ });
  assert.equal((await versions("both")).size, 1);
});

test("a claim that is not there is named, and one that another cluster has is refused", async () => {
  await create("given", { members: [{ claim: "a", subPath: "x" }, { claim: "b" }] });
  await condition("given", {
    type: "Accepted",
    status: "False",
    message: /claim a does not exist/,
  });
  await eventually("its StatefulSet", () =>
    administrator.get(STATEFUL_SET, { namespace: "shop", name: "given-2" }),
  );
  await create("thief", { members: [{ claim: "c" }, { claim: "a", subPath: "x/y" }] });
  await condition("thief", {
    type: "Accepted",
    status: "False",
    message: /given-1 of the cluster given has its own there/,
  });
  assert.equal((await versions("thief")).size, 1);
});

/** What belongs to a cluster's object goes with that, and not by the operator. */
const KEPT_KINDS = [...listedKinds({ has: HAS }), SECRET];

test("the operator may do nothing that it does not do", async () => {
  using api = new KubernetesApi({ access: server.access(OPERATOR) });
  const { apiVersion, kind: called } = POD;
  const container = { name: "any", image: "any" };
  const pod = {
    apiVersion,
    kind: called,
    metadata: { name: "any", namespace: "shop" },
    spec: { containers: [container] },
  };
  const place = { namespace: "shop", name: "izdb" };
  const patch = { metadata: { annotations: { any: "any" } } };
  const attempts: Record<string, () => Promise<unknown>> = {
    "list Secrets": () => api.list(SECRET, { namespace: "shop" }),
    "make pods": () => api.create(POD, pod),
    "delete a cluster": () => api.delete(POSTGRES_CLUSTER, place),
    "delete a record": () => api.delete(LEASE, place),
    "change a cluster": () => api.patch(POSTGRES_CLUSTER, { place, patch }),
    "read events": () => api.list(EVENT, { namespace: "shop" }),
    ...Object.fromEntries(
      KEPT_KINDS.map((each) => [`delete a ${each.kind}`, () => api.delete(each, place)]),
    ),
    "read its own Deployment": () =>
      api.get(kind("apps/v1", "Deployment"), { ...place, name: "understudy-operator" }),
    "change ClusterRoles": () =>
      api.patch(kind("rbac.authorization.k8s.io/v1", "ClusterRole"), {
        place: { name: "understudy-operator" },
        patch,
      }),
    "change namespaces": () =>
      api.patch(kind("v1", "Namespace"), { place: { name: "shop" }, patch }),
  };
  for (const [what, attempt] of Object.entries(attempts))
    await assert.rejects(attempt, { code: "KUBERNETES_FORBIDDEN" }, what);
  // And all that it has done so far it was allowed to do.
  assert.deepEqual(
    troubles.filter((message) => /forbidden/i.test(message)),
    [],
  );
});

test("an operator that succeeds another one changes nothing", async () => {
  await create("kept", { storage: { size: "1Gi" } });
  await made("kept", OBJECTS_OF_TWO);
  await anotherPass("kept", "otherwise");
  ended.abort();
  await Promise.all(running.splice(0));
  const before = await versions("kept");
  const second = new AbortController();
  const run = startOperator("second", second.signal);
  try {
    await eventually("the second one leads", async () => {
      const lease = await administrator.get(LEASE, {
        namespace: "understudy",
        name: "understudy-operator",
      });
      return Object(Object(lease)["spec"]).holderIdentity === "second";
    });
    await anotherPass("kept", "once-more");
    const now = await versions("kept");
    const changed = [...now].filter(([key, version]) => before.get(key) !== version);
    assert.deepEqual(
      changed.map(([key]) => key),
      ["ConfigMap kept-specification"],
    );
    await scaleDown();
  } finally {
    second.abort();
    await run;
  }
});

/** A member that leaves is out of the record before its StatefulSet ends; its claim stays. */
async function scaleDown(): Promise<void> {
  await using store = new KubernetesStore({
    api: administrator,
    namespace: "shop",
    cluster: "kept",
  });
  const members = { "kept-1": memberAt("10.0.0.1"), "kept-2": memberAt("10.0.0.2") };
  const record = newRecord({ cluster: "kept", founder: "kept-1", ttlMs: 10_000, members });
  await store.write({ record, expected: null, durable: true });
  const position = { lsn: "0/3000000", timeline: 1 };
  const at = "2026-11-23T01:00:00.000Z";
  await changeRecord(store, (current) =>
    takeLease(current, { member: "kept-1", position, at, reason: "test" }),
  );
  await changeRecord(store, (current) =>
    announcePrimary(current, { member: "kept-1", term: 1, position, forks: [] }),
  );
  await change("kept", { standbys: 0 });
  // No agent answers, so there is no primary that is seen: nobody leaves.
  await condition("kept", { type: "Progressing", status: "True", message: /there is a primary/ });
  assert.ok(await administrator.get(STATEFUL_SET, { namespace: "shop", name: "kept-2" }));
  const pods = await administrator.list(POD, { namespace: "shop" });
  assert.equal(pods.items.length, 0);
}
