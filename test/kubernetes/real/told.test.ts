// A specification that changes while its agents run: on a real Kubernetes API, with agents as in
// pods, and the operator's passes. The kubelets' part, to bring files and to make pods, is a
// test's.
import assert from "node:assert/strict";
import { test } from "node:test";
import { AGENTS } from "../../../src/cli/kubernetes/operate.ts";
import { parameterObjections } from "../../../src/cli/kubernetes/parameter-objections.ts";
import { removeMember } from "../../../src/core/record-changes.ts";
import { KubernetesApi } from "../../../src/kubernetes-api/api.ts";
import { kindOfObject, POD, POSTGRES_CLUSTER } from "../../../src/kubernetes-api/kinds.ts";
import type { KubernetesObject } from "../../../src/kubernetes-api/resource.ts";
import { operatorObjects } from "../../../src/kubernetes/objects/operator-objects.ts";
import { pass, type PassOptions } from "../../../src/kubernetes/operator/pass.ts";
import { listedKinds, STATEFUL_SET } from "../../../src/kubernetes/operator/reading.ts";
import { changeRecord } from "../../../src/store/store.ts";
import { eventually } from "../../support/eventually.ts";
import { takePortBlock } from "../../support/port-block.ts";
import { SURROUNDINGS } from "../../support/postgres-clusters.ts";
import { ApiServer } from "../cluster/api-server.ts";
import { PodAgents } from "../pod-agents.ts";

const OPERATOR = "system:serviceaccount:understudy:understudy-operator";
const AGENTS_ACCOUNT = "system:serviceaccount:shop:izdb-agents";
const PLACE = { namespace: "shop", name: "izdb" };
/** 1.20, which the tests have. */
const HAS = { policyV1: false, discoveryV1: false };
const SPEC = {
  postgres: { image: "postgres:15" },
  standbys: 1,
  leaseSeconds: 10,
  storage: { size: "1Gi" },
  // They are all on this machine.
  acceptSharedFate: true,
};
const PATIENCE = { limitMs: 240_000, stepMs: 500 };

async function agents() {
  const opened = new AsyncDisposableStack();
  const ports = opened.use(await takePortBlock());
  const server = opened.use(await ApiServer.start({ users: [OPERATOR, AGENTS_ACCOUNT] }));
  const options = { standbys: 1, spec: SPEC, port: ports.first + 1 };
  const cluster = opened.use(await PodAgents.start(server, options));
  return { server, cluster, [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose]() };
}

async function operated() {
  const opened = new AsyncDisposableStack();
  const { server, cluster } = opened.use(await agents());
  const administrator = opened.use(new KubernetesApi({ access: server.access() }));
  const api = opened.use(new KubernetesApi({ access: server.access(OPERATOR) }));
  const image = "understudy:test";
  for (const object of operatorObjects({ image, namespace: "understudy", hasRules: false }))
    await administrator.apply(kindOfObject(object), object, { force: true });
  await eventually("a definition that is served", () => administrator.serves(POSTGRES_CLUSTER));
  const { apiVersion, kind } = POSTGRES_CLUSTER;
  const object = { apiVersion, kind, metadata: PLACE, spec: SPEC } as KubernetesObject;
  await administrator.create(POSTGRES_CLUSTER, object);
  const memory = { applied: new Map(), secrets: new Map() };
  const told: string[] = [];
  const options: PassOptions = {
    api,
    agents: AGENTS,
    surroundings: { ...SURROUNDINGS, has: HAS },
    kinds: listedKinds({ has: HAS }),
    check: parameterObjections,
    instance: "test",
    onEvent: ({ reason, note }) => told.push(`${reason}: ${note}`),
  };
  const onePass = () =>
    pass(options, { place: PLACE, memory, signal: new AbortController().signal });
  await onePass();
  for (const member of cluster.members) await makePod(administrator, member);
  const change = async (spec: Readonly<Record<string, unknown>>) => {
    await administrator.patch(POSTGRES_CLUSTER, { place: PLACE, patch: { spec } });
    await onePass();
    await cluster.bringTold();
  };
  return {
    server,
    cluster,
    told,
    onePass,
    change,
    [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
  };
}

/** As a StatefulSet's controller makes it, which is not here. */
async function makePod(api: KubernetesApi, member: string): Promise<void> {
  const set = await api.get(STATEFUL_SET, { namespace: "shop", name: member });
  const { metadata, spec } = Object(Object(Object(set)["spec"])["template"]);
  const { apiVersion, kind } = POD;
  const named = { ...metadata, name: `${member}-0`, namespace: "shop" };
  await api.create(POD, { apiVersion, kind, metadata: named, spec } as KubernetesObject);
}

test("parameters, networks and synchronous replication reach running agents, and restarts go one by one", async () => {
  await using subject = await operated();
  const { cluster, change, onePass, told } = subject;
  const first = await cluster.primary({ standbys: 1 });
  const valueOf = async (name: string) =>
    Promise.all(cluster.members.map((member) => cluster.value(member, `SHOW ${name}`)));

  await change({
    postgres: { parameters: { work_mem: "5MB" } },
    access: [{ cidr: "203.0.113.0/24" }],
    sync: { mode: "on" },
  });
  await eventually("the parameter on both", async () => {
    return (await valueOf("work_mem")).every((each) => each === "5MB");
  });
  for (const member of cluster.members) {
    const rules = "SELECT count(*)::int FROM pg_hba_file_rules WHERE address = '203.0.113.0'";
    await eventually(
      "the network's rule",
      async () => Number(await cluster.value(member, rules)) > 0,
    );
  }
  await eventually("a promise", async () => {
    const { sync } = (await cluster.record()) ?? {};
    return sync?.mode === "on" && sync.guarantee !== null;
  });
  assert.equal((await cluster.record())?.leader?.member, first);

  // Standbys first; then the primary, after it has handed over.
  await change({ postgres: { parameters: { work_mem: "5MB", max_connections: 120 } } });
  await eventually(
    "more connections on both",
    async () => {
      await onePass();
      return (await valueOf("max_connections")).every((each) => each === "120");
    },
    PATIENCE,
  );
  const second = await cluster.primary({ standbys: 1, not: first });
  const switched = told.findIndex((each) => each.startsWith("SwitchedOver"));
  const restarts = told.flatMap((each, at) => (each.startsWith("Restarted") ? [at] : []));
  assert.ok(switched > (restarts[0] ?? Infinity), told.join("\n"));

  // Lower: the primary must have it first, so nobody can take its part meanwhile.
  const before = await cluster.record();
  await change({ postgres: { parameters: { work_mem: "5MB", max_connections: 90 } } });
  await eventually(
    "fewer connections on both",
    async () => {
      await onePass();
      return (await valueOf("max_connections")).every((each) => each === "90");
    },
    PATIENCE,
  );
  assert.equal(await cluster.primary({ standbys: 1 }), second);
  const taken = (await cluster.record())?.history.filter(({ term }) => term > (before?.term ?? 0));
  assert.ok(
    taken?.every(({ member }) => member === second),
    JSON.stringify(taken),
  );
});

test("without an operator the leader brings what it is told of synchronous replication into the record", async () => {
  await using subject = await agents();
  const { cluster } = subject;
  await cluster.primary({ standbys: 1 });
  await cluster.tell({ sync: { mode: "on" } });
  await eventually("the wish in the record", async () => {
    return (await cluster.record())?.sync.mode === "on";
  });
  await cluster.tell({ sync: { mode: "off" } });
  await eventually("its end", async () => (await cluster.record())?.sync.mode === "off");
});

test("a member that was removed does not come back by its agent, which is told so late", async () => {
  await using subject = await agents();
  const { cluster } = subject;
  const first = await cluster.primary({ standbys: 1 });
  const gone = cluster.members.find((member) => member !== first) ?? "";
  await changeRecord(cluster.store, (record) => removeMember(record, gone));
  await eventually("the end of its agent", async () => !cluster.runs(gone));
  const refused = (why: string) =>
    eventually("its refusal", async () => (await cluster.logs()).includes(why));
  // Its container is started again, and what it is told still names it.
  await cluster.startAgent(gone);
  await refused("it was removed a moment ago");
  await cluster.tell({ standbys: 0, sync: { mode: "off" } });
  await refused("the specification does not name it");
  assert.equal((await cluster.record())?.members[gone], undefined);
  // In a new pod, of a specification that names it again.
  await cluster.signalAgent(gone, "SIGKILL");
  await cluster.tell({});
  await cluster.newPod(gone);
  await cluster.startAgent(gone);
  await cluster.primary({ standbys: 1 });
});
