import assert from "node:assert/strict";
import { test } from "node:test";
import { clusterWith } from "../../../test/support/postgres-clusters.ts";
import { sampleStatus } from "../../../test/support/sample-status.ts";
import { newRecord, type ClusterRecord } from "../../core/record.ts";
import { Secret } from "../../core/secret.ts";
import { KubernetesApi } from "../../kubernetes-api/api.ts";
import { KubernetesStore } from "../../store/kubernetes-store.ts";
import type { KubernetesObject } from "../../kubernetes-api/resource.ts";
import { CLUSTER_LABEL, MEMBER_LABEL, podName } from "../objects/names.ts";
import { POD_MARK, podMark } from "../objects/pod-mark.ts";
import { memberVolumes } from "../objects/volumes.ts";
import type { PostgresCluster } from "../resource/postgres-cluster.ts";
import type { Facts } from "./facts.ts";
import { rolloutMembers } from "./facts.ts";
import type { PodSeen, Reading } from "./reading.ts";
import { chooseStep, perform } from "./step.ts";

const NAMES = ["izdb-1", "izdb-2", "izdb-3"];

/** As it is when every pod was made from `made` and all is well; izdb-1 leads. */
function factsOf(made: PostgresCluster, change: Partial<Facts> = {}): Facts {
  const members = Object.fromEntries(
    NAMES.map((name) => [name, { host: name, port: 5432, apiPort: 8008, tags: {} }]),
  );
  const record: ClusterRecord = {
    ...newRecord({ cluster: "izdb", founder: "izdb-1", ttlMs: 10_000, members }),
    leader: { member: "izdb-1", renewals: 3, lsn: null, timeline: null },
  };
  const summary = sampleStatus();
  return {
    cluster: made,
    reading: readingOf(made),
    volumes: new Map(),
    record,
    answers: new Map(),
    summary,
    ...change,
  };
}

function readingOf(made: PostgresCluster): Reading {
  const sets = NAMES.map((name): KubernetesObject => {
    const labels = { [CLUSTER_LABEL]: "izdb", [MEMBER_LABEL]: name };
    return { apiVersion: "apps/v1", kind: "StatefulSet", metadata: { name, labels } };
  });
  const pods = memberVolumes(made).map((volumes): [string, PodSeen] => {
    const name = podName(volumes.member);
    const annotations = { [POD_MARK]: podMark(made, volumes) };
    return [name, { apiVersion: "v1", kind: "Pod", metadata: { name, annotations } }];
  });
  return { present: new Map(), pods: new Map(pods), statefulSets: sets };
}

test("where all is as it is to be nothing is done, whatever image brings the agent", () => {
  assert.deepEqual(chooseStep(factsOf(clusterWith())), { kind: "done" });
});

test("another image is brought to the last standby first", () => {
  const facts = factsOf(clusterWith());
  const cluster = clusterWith({ postgres: { image: "postgres:18.4" } });
  assert.deepEqual(chooseStep({ ...facts, cluster }), { kind: "replace", member: "izdb-3" });
});

test("a restart that a person asks for changes every pod; parameters alone change none", () => {
  const facts = factsOf(clusterWith());
  const annotations = { "understudy.dev/restart": "now" };
  const asked = { ...facts, cluster: clusterWith({}, { annotations }) };
  assert.deepEqual(chooseStep(asked), { kind: "replace", member: "izdb-3" });
  const postgres = { image: "postgres:18", parameters: { work_mem: "8MB" } };
  assert.deepEqual(chooseStep({ ...facts, cluster: clusterWith({ postgres }) }), { kind: "done" });
});

test("a member that leaves goes before any other change, and a primary hands over to stay", () => {
  const facts = factsOf(clusterWith());
  const cluster = clusterWith({ standbys: 1, postgres: { image: "postgres:18.4" } });
  assert.deepEqual(chooseStep({ ...facts, cluster }), { kind: "remove", member: "izdb-3" });
});

test("nobody who answers: no pod is replaced, if the kubelets say that they are ready", () => {
  const facts = factsOf(clusterWith(), { summary: null });
  const status = { conditions: [{ type: "Ready", status: "True" }] };
  const pods = new Map([...facts.reading.pods].map(([name, pod]) => [name, { ...pod, status }]));
  const cluster = clusterWith({ postgres: { image: "postgres:18.4" } });
  const unseen = { ...facts, cluster, reading: { ...facts.reading, pods } };
  assert.equal(chooseStep(unseen).kind, "wait");
});

test("who leads by the record is never replaced as one that is down", () => {
  const facts = factsOf(clusterWith(), { summary: null });
  const cluster = clusterWith({ postgres: { image: "postgres:18.4" } });
  const led = rolloutMembers({ ...facts, cluster }).filter(({ isPrimary }) => isPrimary);
  assert.deepEqual(
    led.map(({ name }) => name),
    ["izdb-1"],
  );
  const step = chooseStep({ ...facts, cluster });
  assert.ok(step.kind === "replace" && step.member !== "izdb-1");
});

test("a pod that is being made anew is waited for", () => {
  const facts = factsOf(clusterWith());
  const pods = new Map([...facts.reading.pods].filter(([name]) => name !== "izdb-3-0"));
  const cluster = clusterWith({ postgres: { image: "postgres:18.4" } });
  const summary = sampleStatus();
  const without = {
    ...summary,
    members: summary.members.map((each) =>
      each.name === "izdb-3"
        ? Object.assign({}, each, { role: "none", state: "unreachable" })
        : each,
    ),
  };
  const facing = { ...facts, cluster, summary: without, reading: { ...facts.reading, pods } };
  assert.equal(chooseStep(facing).kind, "wait");
});

async function nobody(): Promise<never> {
  assert.fail("nobody is asked");
}

test("a step that nobody could be asked for is not told as done", async () => {
  const access = { server: new URL("https://127.0.0.1:9"), credentials: nobody };
  using api = new KubernetesApi({ access });
  await using store = new KubernetesStore({ api, namespace: "shop", cluster: "izdb" });
  const agents = { status: nobody, ask: nobody };
  const facts = factsOf(clusterWith());
  const { signal } = new AbortController();
  const common = { api, agents, store, trusted: null, signal };
  const from = { kind: "switchover", from: "izdb-1", to: "izdb-2" } as const;
  const restart = { kind: "restart", member: "izdb-2" } as const;
  for (const step of [from, restart]) {
    assert.equal(await perform({ ...common, facts, token: null }, step), null);
    const unknown = { ...common, facts: { ...facts, record: null }, token: new Secret("a token") };
    assert.equal(await perform(unknown, step), null);
  }
});

function ending(pod: PodSeen): PodSeen {
  return { ...pod, metadata: { ...pod.metadata, deletionTimestamp: "2026-11-23T01:00:00Z" } };
}

test("a pod that ends is away already, whatever its agent still says", () => {
  const facts = factsOf(clusterWith());
  const cluster = clusterWith({ postgres: { image: "postgres:18.4" } });
  for (const pods of [
    new Map(
      [...facts.reading.pods].map(([name, pod]) => [name, name === "izdb-3-0" ? ending(pod) : pod]),
    ),
    new Map([...facts.reading.pods].filter(([name]) => name !== "izdb-3-0")),
  ]) {
    const step = chooseStep({ ...facts, cluster, reading: { ...facts.reading, pods } });
    assert.equal(step.kind, "wait");
  }
});

const OLDER = clusterWith({ postgres: { image: "postgres:18.4" } });

/** izdb-3 does not answer, and its kubelet says this of its container. */
function unanswered(state: object): Facts {
  const facts = factsOf(clusterWith());
  const summary = sampleStatus();
  const members = summary.members.map((each) =>
    each.name === "izdb-3" ? Object.assign({}, each, { role: "none", state: "unreachable" }) : each,
  );
  const status = { containerStatuses: [{ name: "postgres", state }] };
  const pods = new Map(
    [...facts.reading.pods].map(([name, pod]) => [
      name,
      name === "izdb-3-0" ? { ...pod, status } : pod,
    ]),
  );
  const reading = { ...facts.reading, pods };
  return { ...facts, cluster: OLDER, summary: { ...summary, members }, reading };
}

test("one missed answer of a member whose container runs has nothing replaced: it may be copying", () => {
  assert.equal(chooseStep(unanswered({ running: {} })).kind, "wait");
  for (const state of [{ waiting: { reason: "CrashLoopBackOff" } }, { terminated: {} }, {}])
    assert.deepEqual(chooseStep(unanswered(state)), { kind: "replace", member: "izdb-3" });
});

test("the primary hands over to the standby that lacks least, before it is changed", () => {
  const facts = factsOf(OLDER);
  const oldPod = factsOf(clusterWith()).reading.pods.get("izdb-1-0");
  assert(oldPod);
  const pods = new Map(facts.reading.pods).set("izdb-1-0", oldPod);
  const summary = sampleStatus();
  const [primary, second, third] = summary.members;
  assert(primary && second && third);
  const members = [primary, { ...second, replayLagBytes: 5_000 }, third];
  const changed = {
    ...facts,
    reading: { ...facts.reading, pods },
    summary: { ...summary, members },
  };
  assert.deepEqual(chooseStep(changed), { kind: "switchover", from: "izdb-1", to: "izdb-3" });
});
