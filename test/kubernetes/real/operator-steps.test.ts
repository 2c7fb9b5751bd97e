import assert from "node:assert/strict";
import { after, test } from "node:test";
import { UnderstudyError } from "../../../src/core/errors.ts";
import type { MemberStatus } from "../../../src/core/member-status.ts";
import { newRecord, type ClusterRecord } from "../../../src/core/record.ts";
import { REIGN_ANNOTATION } from "../../../src/core/slice-reign.ts";
import { API_VERSION } from "../../../src/core/spec.ts";
import { KubernetesApi } from "../../../src/kubernetes-api/api.ts";
import { kindOfObject, POD, POSTGRES_CLUSTER } from "../../../src/kubernetes-api/kinds.ts";
import type { KubernetesObject } from "../../../src/kubernetes-api/resource.ts";
import { operatorObjects } from "../../../src/kubernetes/objects/operator-objects.ts";
import type { Agents } from "../../../src/kubernetes/operator/agents.ts";
import { Handovers } from "../../../src/kubernetes/operator/handovers.ts";
import { pass, tellTrouble, type PassOptions } from "../../../src/kubernetes/operator/pass.ts";
import { kindOf, listedKinds, STATEFUL_SET } from "../../../src/kubernetes/operator/reading.ts";
import type { PostgresClusterStatus } from "../../../src/kubernetes/resource/status-schema.ts";
import { KubernetesStore } from "../../../src/store/kubernetes-store.ts";
import { changeRecord } from "../../../src/store/store.ts";
import { PASSWORDS, SURROUNDINGS } from "../../support/postgres-clusters.ts";
import { eventually } from "../../support/eventually.ts";
import { ApiServer } from "../cluster/api-server.ts";

const OPERATOR = "system:serviceaccount:understudy:understudy-operator";
const PLACE = { namespace: "shop", name: "izdb" };
/** 1.20, which the tests have. */
const HAS = { policyV1: false, discoveryV1: false };

const server = await ApiServer.start({ users: [OPERATOR] });
const administrator = new KubernetesApi({ access: server.access() });
const api = new KubernetesApi({ access: server.access(OPERATOR) });
after(async () => {
  api[Symbol.dispose]();
  administrator[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
});
const installed = operatorObjects({
  image: "understudy:test",
  namespace: "understudy",
  hasRules: false,
});
for (const object of installed)
  await administrator.apply(kindOfObject(object), object, { force: true });
await eventually("a definition that is served", () => administrator.serves(POSTGRES_CLUSTER));
await server.makeNamespace("shop");
const { apiVersion, kind } = POSTGRES_CLUSTER;
await administrator.create(POSTGRES_CLUSTER, {
  apiVersion,
  kind,
  metadata: PLACE,
  spec: { postgres: { image: "postgres:18" }, standbys: 2, storage: { size: "1Gi" } },
} as KubernetesObject);

/** What was asked of agents, which say that all is well: izdb-1 leads, and the others stream. */
const asked: string[] = [];
const sound: Agents = {
  status: async (_place, { member }) => statusOf(member),
  ask: async (_place, { member, path, body, token }) => {
    assert.ok(token.reveal().length > 20 && token.reveal() !== PASSWORDS.apiToken.reveal());
    asked.push(`${member} ${path} ${JSON.stringify(body)}`);
    if (refuses) throw new UnderstudyError("SWITCHOVER_REFUSED", "its archive is behind");
  },
};
let refuses = false;
/** That the pauses of hand-overs are counted by. */
let nowMs = 0;
let leader = "izdb-1";

function statusOf(name: string): MemberStatus {
  const isPrimary = name === leader;
  const lsn = "0/3000000";
  const streams = (applicationName: string) =>
    ({
      applicationName,
      state: "streaming",
      sentLsn: lsn,
      writeLsn: lsn,
      flushLsn: lsn,
      replayLsn: lsn,
      sync: "async",
    }) as const;
  return {
    apiVersion: API_VERSION,
    kind: "MemberStatus",
    cluster: "izdb",
    name,
    role: isPrimary ? "primary" : "standby",
    state: isPrimary ? "running" : "streaming",
    reason: null,
    agentPid: 1,
    pid: 2,
    host: name,
    port: 5432,
    systemId: "7300000000000000001",
    timeline: 1,
    timelineTerm: 1,
    postgresVersion: "18.4",
    term: 1,
    generation: 1,
    writeLsn: lsn,
    flushLsn: lsn,
    replayLsn: isPrimary ? null : lsn,
    needsWalFrom: lsn,
    replayLagSeconds: isPrimary ? null : 0,
    upstream: isPrimary ? null : leader,
    slot: null,
    replication: isPrimary
      ? ["izdb-1", "izdb-2", "izdb-3"].filter((each) => each !== leader).map(streams)
      : [],
    slots: [],
    progress: null,
    pendingRestart: [],
    warnings: [],
    storage: null,
  };
}

const memory = { applied: new Map(), secrets: new Map() };
const told: string[] = [];
const options: PassOptions = {
  handovers: new Handovers(() => nowMs),
  api,
  agents: sound,
  surroundings: { ...SURROUNDINGS, has: HAS },
  kinds: listedKinds({ has: HAS }),
  check: () => [],
  instance: "test",
  onEvent: ({ reason }) => told.push(reason),
};

function onePass(): ReturnType<typeof pass> {
  return pass(options, { place: PLACE, memory, signal: new AbortController().signal });
}

async function status(): Promise<PostgresClusterStatus> {
  const found = await administrator.get<KubernetesObject & { status?: PostgresClusterStatus }>(
    POSTGRES_CLUSTER,
    PLACE,
  );
  return found?.status ?? {};
}

function store(): KubernetesStore {
  return new KubernetesStore({ api: administrator, namespace: "shop", cluster: "izdb" });
}

/** As agents write it. */
async function lead(name: string, members: readonly string[]): Promise<void> {
  leader = name;
  await using own = store();
  const places = members.map((each) => [each, { host: each, port: 5432, apiPort: 8008, tags: {} }]);
  const record: ClusterRecord = {
    ...newRecord({
      cluster: "izdb",
      founder: "izdb-1",
      ttlMs: 10_000,
      members: Object.fromEntries(places),
    }),
    systemId: "7300000000000000001",
    term: 1,
    leader: { member: name, renewals: 1, lsn: "0/3000000", timeline: 1 },
    forks: [],
  };
  const before = await own.read();
  const expected = before?.revision ?? null;
  assert.ok(await own.write({ record, expected, durable: true }));
}

/** As a StatefulSet's controller makes it, which is not here. */
async function makePod(member: string): Promise<void> {
  const set = await administrator.get(STATEFUL_SET, { namespace: "shop", name: member });
  const { metadata, spec } = Object(Object(Object(set)["spec"])["template"]);
  const made = await administrator.create(POD, {
    apiVersion: POD.apiVersion,
    kind: POD.kind,
    metadata: { ...metadata, name: `${member}-0`, namespace: "shop" },
    spec,
  } as KubernetesObject);
  assert.equal(made.kind, "changed");
}

async function pods(): Promise<string[]> {
  const { items } = await administrator.list(POD, { namespace: "shop" });
  return items.map(({ metadata }) => metadata.name);
}

async function change(spec: Readonly<Record<string, unknown>>): Promise<void> {
  const changed = await administrator.patch(POSTGRES_CLUSTER, { place: PLACE, patch: { spec } });
  assert.equal(changed.kind, "changed");
}

test("another image reaches one pod after the other, the primary's last and after a switchover", async () => {
  await onePass();
  for (const member of ["izdb-1", "izdb-2", "izdb-3"]) await makePod(member);
  await lead("izdb-1", ["izdb-1", "izdb-2", "izdb-3"]);
  await onePass();
  const sane = await status();
  assert.equal(sane.phase, "healthy", JSON.stringify(sane));
  assert.equal(sane.ready, "3/3");
  assert.equal(sane.currentPrimary, "izdb-1");
  await change({ postgres: { image: "postgres:18.4" } });
  // The first pass changes the templates, and no pod before that is so.
  await onePass();
  assert.deepEqual(await pods(), ["izdb-1-0", "izdb-2-0"]);
  await onePass();
  assert.deepEqual(await pods(), ["izdb-1-0", "izdb-2-0"], "one at a time");
  await makePod("izdb-3");
  await onePass();
  assert.deepEqual(await pods(), ["izdb-1-0", "izdb-3-0"]);
  await makePod("izdb-2");
  refuses = true;
  await onePass();
  const once = ['izdb-1 /switchover {"to":"izdb-2"}'];
  assert.deepEqual(asked, once);
  for (let passes = 0; passes < 3; passes += 1) {
    const next = await onePass();
    assert.ok(next !== null && next.inMs > 1_000, "it is not tried in a hurry");
  }
  assert.deepEqual(asked, once);
  const progress = (await status()).conditions?.find(({ type }) => type === "Progressing");
  assert.match(progress?.message ?? "", /izdb-1 could not hand over to izdb-2.*archive is behind/);
  assert.ok(told.includes("HandOverFailed"), told.join());
  refuses = false;
  nowMs += 3 * 60_000;
  await onePass();
  assert.deepEqual(asked, [...once, ...once]);
  await lead("izdb-2", ["izdb-1", "izdb-2", "izdb-3"]);
  await onePass();
  assert.deepEqual(await pods(), ["izdb-2-0", "izdb-3-0"]);
  await makePod("izdb-1");
  const again = await onePass();
  assert.ok(again !== null && again.inMs > 1_000, "nothing is left to do");
  assert.equal((await status()).currentPrimary, "izdb-2");
  assert.ok(told.includes("PrimaryChanged"), told.join());
});

async function ready(): Promise<string> {
  const found = (await status()).conditions?.find(({ type }) => type === "Ready");
  return `${found?.status} ${found?.reason}`;
}

test("a service for writes that leads elsewhere for long is told, until it leads to the primary", async () => {
  // Nobody is here who would lead it.
  await eventually("a cluster that is not ready for it", async () => {
    await onePass();
    return (await ready()) === "False ServiceAstray";
  });
  const slice = kindOf("discovery.k8s.io/v1beta1", "EndpointSlice");
  const place = { namespace: "shop", name: "izdb-rw" };
  const endpoints = [{ addresses: ["10.0.0.2"], conditions: { ready: true } }];
  const annotations = { [REIGN_ANNOTATION]: "7300000000000000001/1" };
  await administrator.patch(slice, { place, patch: { endpoints, metadata: { annotations } } });
  await onePass();
  assert.equal(await ready(), "False ServiceAstray", "it is another's address");
  await using own = store();
  await changeRecord(own, (record) => {
    const { "izdb-2": second, ...others } = record.members;
    assert(second !== undefined);
    return { ...record, members: { ...others, "izdb-2": { ...second, host: "10.0.0.2" } } };
  });
  await onePass();
  assert.equal(await ready(), "True AllStreaming", JSON.stringify(await status()));
});

test("a standby fewer leaves the record, then its StatefulSet ends, and its claim stays", async () => {
  await change({ standbys: 1 });
  await onePass();
  await using own = store();
  const record = (await own.read())?.record;
  assert.deepEqual(Object.keys(record?.members ?? {}), ["izdb-1", "izdb-2"]);
  const set = { namespace: "shop", name: "izdb-3" };
  assert.ok(await administrator.get(STATEFUL_SET, set));
  await onePass();
  assert.equal(await administrator.get(STATEFUL_SET, set), null);
  const claim = { namespace: "shop", name: "izdb-3-data" };
  assert.ok(await administrator.get(kindOf("v1", "PersistentVolumeClaim"), claim));
});

test("what the specification says of synchronous replication is in the record", async () => {
  await change({ sync: { mode: "on", required: 1 } });
  await onePass();
  await using own = store();
  assert.equal((await own.read())?.record.sync.mode, "on");
});

async function owners(member = "izdb-1"): Promise<number[]> {
  const claim = await administrator.get(kindOf("v1", "PersistentVolumeClaim"), {
    namespace: "shop",
    name: `${member}-data`,
  });
  const secret = await administrator.get(kindOf("v1", "Secret"), {
    namespace: "shop",
    name: "izdb-superuser",
  });
  return [claim, secret].map((each) => (each?.metadata.ownerReferences ?? []).length);
}

test("deletionPolicy makes Secrets, claims and record the object's own, and takes that back", async () => {
  assert.deepEqual(await owners(), [0, 0]);
  const claims = kindOf("v1", "PersistentVolumeClaim");
  const labels = { "understudy.dev/cluster": "izdb" };
  const claim = await administrator.get(claims, { namespace: "shop", name: "izdb-1-data" });
  await administrator.create(claims, {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name: "a-persons-own", namespace: "shop", labels },
    spec: Object(claim).spec,
  } as KubernetesObject);
  await change({ deletionPolicy: "Delete" });
  await onePass();
  assert.deepEqual(await owners(), [1, 1]);
  // Of a member that left before, and one that nobody of us has made.
  assert.deepEqual(await owners("izdb-3"), [1, 1]);
  const own = await administrator.get(claims, { namespace: "shop", name: "a-persons-own" });
  assert.equal(own?.metadata.ownerReferences, undefined);
  await change({ deletionPolicy: "Retain" });
  await onePass();
  assert.deepEqual(await owners(), [0, 0]);
  assert.deepEqual(await owners("izdb-3"), [0, 0]);
});

test("a right that was taken away is told in a condition, and what it was for is done when it is back", async () => {
  const role = installed.find((each) => each.kind === "ClusterRole");
  assert(role);
  const rules = (role["rules"] as { resources: string[] }[]).filter(
    ({ resources }) => !resources.includes("services"),
  );
  await administrator.apply(kindOfObject(role), Object.assign({}, role, { rules }), {
    force: true,
  });
  const signal = new AbortController().signal;
  const thrown = await eventually("a pass that fails", () =>
    onePass().then(
      () => null,
      (why: unknown) => why,
    ),
  );
  await tellTrouble(options, { place: PLACE, thrown, signal });
  const found = (await status()).conditions?.find(({ type }) => type === "Progressing");
  assert.equal(found?.status, "Unknown");
  assert.equal(found?.reason, "KubernetesForbidden");
  assert.match(found?.message ?? "", /it is tried again: cannot read each/);
  await administrator.apply(kindOfObject(role), role, { force: true });
  await eventually("a pass that succeeds", () => onePass());
  const now = (await status()).conditions?.find(({ type }) => type === "Progressing");
  assert.notEqual(now?.status, "Unknown");
});
