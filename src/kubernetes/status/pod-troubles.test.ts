import assert from "node:assert/strict";
import { test } from "node:test";
import { terminationLine } from "../../kubernetes-api/pod-end.ts";
import { needsWarnings, troubleOf, type MemberPod, type PodState } from "./pod-troubles.ts";

type Containers = NonNullable<NonNullable<PodState["status"]>["containerStatuses"]>;

const NOW = Date.parse("2026-11-23T05:00:20Z");

function seen(change: Partial<MemberPod>): MemberPod {
  const usual = { member: "izdb-2", namespace: "shop", hasSet: true, answers: false };
  return { ...usual, pod: null, warnings: [], nowMs: NOW, ...change };
}

function pod(status: PodState["status"]): PodState {
  return { metadata: { name: "izdb-2-0" }, status: status ?? {} };
}

function waiting(reason: string, message?: string): Containers[number] {
  const state = { waiting: message === undefined ? { reason } : { reason, message } };
  return { name: "postgres", image: "postgres:99", state };
}

function of(container: Containers[number]) {
  return seen({ pod: pod({ containerStatuses: [container] }) });
}

function told(member: MemberPod): string {
  const found = troubleOf(member);
  return found === null ? "nothing" : `${found.reason}: ${found.message}`;
}

test("an image that cannot be pulled is told alike, whichever word the kubelet has for it now", () => {
  const once = told(of(waiting("ErrImagePull", "rpc error: code = NotFound")));
  assert.equal(told(of(waiting("ImagePullBackOff", "Back-off pulling image"))), once);
  assert.match(once, /^ImagePullBackOff: the image postgres:99 cannot be pulled: check spec/);
  const init = { name: "bring-agent", image: "understudy:x", state: waiting("ErrImagePull").state };
  const agent = seen({
    pod: pod({ initContainerStatuses: [{ ...init, state: init.state ?? {} }] }),
  });
  assert.match(told(agent), /understudy:x cannot be pulled: check the operator's --agent-image/);
});

test("no node is told with what to do about it", () => {
  for (const [message, remedy] of [
    ["0/2 nodes are available: 2 Insufficient cpu.", /spec\.resources\.requests/],
    [
      "0/1 nodes are available: 1 node(s) didn't match pod anti-affinity rules.",
      /acceptSharedFate/,
    ],
    ["pod has unbound immediate PersistentVolumeClaims.", /StorageClass/],
    ['persistentvolumeclaim "nfs" not found', /its claim has no volume/],
    ["1 node(s) had taint {a: b}, that the pod didn't tolerate", /tolerations/],
    ["something else", /its pod's events/],
  ] as const) {
    const conditions = [
      { type: "PodScheduled", status: "False", reason: "Unschedulable", message },
    ];
    const found = told(seen({ pod: pod({ conditions }) }));
    assert.ok(found.startsWith(`FailedScheduling: no node can run it (${message}): `), found);
    assert.match(found, remedy);
  }
});

test("that no node fits at the beginning, before its volume is there, is nothing yet", () => {
  const about = { type: "PodScheduled", status: "False", reason: "Unschedulable", message: "no" };
  const since = (lastTransitionTime: string) =>
    told(seen({ pod: pod({ conditions: [{ ...about, lastTransitionTime }] }) }));
  assert.equal(since("2026-11-23T05:00:15Z"), "nothing");
  assert.match(since("2026-11-23T05:00:05Z"), /^FailedScheduling/);
});

test("what a volume or a quota refuses is only in warnings, and is looked for there", () => {
  const quota = { reason: "FailedCreate", message: "exceeded quota: small, requested: cpu=2" };
  const none = seen({ warnings: [quota] });
  assert.ok(needsWarnings(none));
  assert.match(told(none), /^FailedCreate: its pod cannot be made \(exceeded quota.*ResourceQuota/);
  const creating = of(waiting("ContainerCreating"));
  assert.ok(needsWarnings(creating));
  assert.equal(told(creating), "nothing");
  const late = { reason: "FailedMount", message: "Unable to attach or mount volumes: timed out" };
  const why = { reason: "FailedMount", message: 'secret "izdb-app" not found' };
  assert.match(told({ ...creating, warnings: [late, why] }), /secret "izdb-app" not found/);
  assert.match(told({ ...creating, warnings: [late] }), /timed out/);
});

function ended(message: string, more: Partial<Containers[number]> = {}) {
  const terminated = {
    reason: "Error",
    exitCode: 1,
    message: `${terminationLine("s-1")}\n${message}`,
  };
  return of({ name: "postgres", lastState: { terminated }, ...more });
}

test("an agent's last words are told, while its container waits and while it is tried again", () => {
  const words = "the image has no PostgreSQL 18. Name another.";
  const expected = `CrashLoopBackOff: ${words}`;
  assert.equal(told(ended(`${words}\n`, waiting("CrashLoopBackOff"))), expected);
  assert.equal(told(ended(words, { state: {} })), expected);
  assert.equal(told(ended(words, { state: {}, ready: true })), "nothing");
  assert.equal(told(seen({ ...ended(words), answers: true })), "nothing");
});

test("one that ends without a word is told when that lasts, and one without memory at once", () => {
  assert.equal(told(ended("", { state: {} })), "nothing");
  assert.match(told(ended("", waiting("CrashLoopBackOff"))), /status 1; see: kubectl -n shop logs/);
  const oom = { terminated: { reason: "OOMKilled", exitCode: 137 } };
  assert.match(told(of({ name: "postgres", lastState: oom })), /^OOMKilled: .*limits\.memory/);
});

test("nothing is said of a pod that ends, nor of a member that has no StatefulSet yet", () => {
  const { pod: crashed } = ended("words", waiting("CrashLoopBackOff"));
  assert.ok(crashed);
  const metadata = { name: "izdb-2-0", deletionTimestamp: "2026-11-23T05:00:00Z" };
  assert.equal(told(seen({ pod: { ...crashed, metadata } })), "nothing");
  assert.equal(told(seen({ hasSet: false })), "nothing");
  assert.ok(!needsWarnings(seen({ hasSet: false })));
});
