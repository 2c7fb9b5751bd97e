// What keeps members from being made or started, as a real Kubernetes API has it and the operator
// tells it. The scheduler's, the kubelet's and the controllers' part, to say so, is a test's.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { terminationLine } from "../../../src/kubernetes-api/pod-end.ts";
import { kindOfObject, POD, POSTGRES_CLUSTER } from "../../../src/kubernetes-api/kinds.ts";
import type { KubernetesObject } from "../../../src/kubernetes-api/resource.ts";
import { podName } from "../../../src/kubernetes/objects/names.ts";
import { STATEFUL_SET } from "../../../src/kubernetes/operator/reading.ts";
import type { PostgresClusterStatus } from "../../../src/kubernetes/resource/status-schema.ts";
import { eventually } from "../../support/eventually.ts";
import { takePortBlock } from "../../support/port-block.ts";
import { ApiServer } from "../cluster/api-server.ts";
import { OPERATOR, operatorOn } from "../operated-cluster.ts";
import { PodAgents } from "../pod-agents.ts";

const PLACE = { namespace: "shop", name: "izdb" };
const EVENT = kindOfObject({ apiVersion: "v1", kind: "Event", metadata: { name: "" } });

async function looked() {
  const opened = new AsyncDisposableStack();
  const server = opened.use(await ApiServer.start({ users: [OPERATOR] }));
  await server.makeNamespace("shop");
  const operator = opened.use(await operatorOn(server));
  const { administrator, onePass } = operator;
  await onePass();
  /** Blocked as the operator tells it now, and the version of the object that says so. */
  const blocked = async () => {
    await onePass();
    const object = await administrator.get<KubernetesObject & { status?: PostgresClusterStatus }>(
      POSTGRES_CLUSTER,
      PLACE,
    );
    const found = object?.status?.conditions?.find(({ type }) => type === "Blocked");
    const { phase = "" } = object?.status ?? {};
    const version = object?.metadata.resourceVersion;
    return { said: `${found?.status} ${found?.reason}: ${found?.message}`, phase, version };
  };
  const tell = async (member: string, status: Readonly<Record<string, unknown>>) => {
    const pod = await administrator.get(POD, { namespace: "shop", name: podName(member) });
    assert.ok(pod);
    const told = Object.assign({}, pod, { status: { phase: "Pending", ...status } });
    await administrator.replace(POD, told, { subresource: "status" });
  };
  let count = 0;
  const warn = async (about: KubernetesObject, of: { reason: string; message: string }) => {
    count += 1;
    const { apiVersion, kind, metadata } = about;
    const { name, namespace = "", uid } = metadata;
    const event = {
      apiVersion: EVENT.apiVersion,
      kind: EVENT.kind,
      metadata: { name: `warning-${count}`, namespace },
      involvedObject: { apiVersion, kind, name, namespace, uid },
      type: "Warning",
      lastTimestamp: new Date().toISOString().replace(/\.\d+Z$/, "Z"),
      ...of,
    };
    await administrator.create(EVENT, event as KubernetesObject);
  };
  return {
    ...operator,
    blocked,
    tell,
    warn,
    [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
  };
}

/** A container's status, with what the API asks of each. */
function container(state: Readonly<Record<string, unknown>>) {
  const usual = { name: "postgres", image: "postgres:15", imageID: "", ready: false };
  return { containerStatuses: [{ ...usual, restartCount: 0, ...state }] };
}

function waiting(reason: string, message = "") {
  return container({ state: { waiting: { reason, message } } });
}

test("what pods and warnings say becomes a condition, and is written when it changes and not else", async () => {
  await using subject = await looked();
  const { administrator, makePod, blocked, tell, warn, told } = subject;
  assert.match((await blocked()).said, /^False Nothing/);
  const set = await administrator.get(STATEFUL_SET, { namespace: "shop", name: "izdb-1" });
  assert.ok(set);
  await warn(set, { reason: "FailedCreate", message: "exceeded quota: small" });
  assert.match(
    (await blocked()).said,
    /^True FailedCreate: izdb-1: .*exceeded quota.*ResourceQuota/,
  );
  for (const member of ["izdb-1", "izdb-2"]) await makePod(member);
  assert.match((await blocked()).said, /^False/);

  await tell("izdb-1", waiting("ErrImagePull", "not found"));
  const first = await blocked();
  assert.match(
    first.said,
    /^True ImagePullBackOff: izdb-1: the image postgres:15 cannot be pulled/,
  );
  assert.equal(first.phase, "needs help");
  assert.ok(told.some((each) => each.startsWith("Blocked: ")));
  await tell("izdb-1", waiting("ImagePullBackOff", "Back-off pulling image"));
  assert.equal((await blocked()).version, first.version);

  const conditions = [
    { type: "PodScheduled", status: "False", reason: "Unschedulable", message: "Insufficient cpu" },
  ];
  await tell("izdb-1", { conditions });
  assert.match((await blocked()).said, /^True FailedScheduling: .*spec\.resources\.requests/);

  await tell("izdb-1", waiting("ContainerCreating"));
  assert.match((await blocked()).said, /^False/);
  const pod = await administrator.get(POD, { namespace: "shop", name: "izdb-1-0" });
  assert.ok(pod);
  const earlier = { ...pod, metadata: { ...pod.metadata, uid: "of-a-pod-before" } };
  await warn(earlier, { reason: "FailedMount", message: "of before" });
  assert.match((await blocked()).said, /^False/);
  await warn(pod, { reason: "FailedMount", message: 'secret "izdb-app" not found' });
  assert.match((await blocked()).said, /^True FailedMount: izdb-1: .*secret "izdb-app" not found/);

  const message = `${terminationLine("s")}\nthe image has no PostgreSQL 15.`;
  const terminated = { reason: "Error", exitCode: 3, message, containerID: "containerd://1" };
  const ended = { state: { waiting: { reason: "CrashLoopBackOff" } }, lastState: { terminated } };
  await tell("izdb-2", container(ended));
  const both = (await blocked()).said;
  assert.match(both, /izdb-1: what it needs .*; izdb-2: the image has no PostgreSQL 15\.$/);
});

test("an agent whose image has another PostgreSQL says so where its kubelet tells it", async () => {
  const users = ["system:serviceaccount:shop:izdb-agents"];
  await using ports = await takePortBlock();
  await using server = await ApiServer.start({ users });
  // As old as no machine of tests has it installed.
  const spec = { postgres: { image: "postgres:10" } };
  const options = { standbys: 0, port: ports.first + 1, spec };
  await using cluster = await PodAgents.start(server, options);
  await eventually("its end", async () => !cluster.runs("izdb-1"));
  const log = join(server.directory, "izdb-1", "termination-log");
  const [line, words] = (await readFile(log, "utf8")).split("\n");
  assert.match(line ?? "", /^understudy session /);
  assert.match(words ?? "", /^the image has no PostgreSQL 10 .* spec\.postgres\.image\.$/);
});
