import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  hasEnded,
  terminationLine,
  terminationWords,
  type ContainerState,
  type PodObject,
} from "./pod-end.ts";

const RUN = { container: "postgres", session: "s-2" };
const CONTAINER_ID = "containerd://1";

function podWith(status: {
  state?: ContainerState;
  lastState?: ContainerState;
  name?: string;
}): PodObject {
  const metadata = { name: "izdb-1-0", namespace: "shop", uid: "u-1" };
  const containerStatuses = [{ name: "postgres", ...status }];
  return { apiVersion: "v1", kind: "Pod", metadata, status: { containerStatuses } };
}

function ended(session: string, reason = "Error"): ContainerState {
  const message = `${terminationLine(session)}\nstopped on request`;
  return { terminated: { reason, containerID: CONTAINER_ID, message } };
}

test("a run whose end a kubelet has seen is gone, also when another one runs since", () => {
  for (const reason of ["Error", "Completed", "OOMKilled"])
    assert.ok(hasEnded(podWith({ state: ended("s-2", reason) }), RUN), reason);
  const waiting = { waiting: { reason: "CrashLoopBackOff" } };
  assert.ok(hasEnded(podWith({ state: waiting, lastState: ended("s-2") }), RUN));
  assert.ok(hasEnded(podWith({ state: { running: {} }, lastState: ended("s-2") }), RUN));
});

test("the end of an earlier run says nothing of one that the kubelet has not told of yet", () => {
  assert.ok(!hasEnded(podWith({ state: ended("s-1") }), RUN));
  assert.ok(!hasEnded(podWith({ state: { running: {} }, lastState: ended("s-1") }), RUN));
  assert.ok(!hasEnded(podWith({ state: ended("s-22") }), RUN));
});

test("an end that nobody has seen is no proof", () => {
  const message = terminationLine("s-2");
  for (const terminated of [
    { reason: "ContainerStatusUnknown", containerID: CONTAINER_ID, message },
    { reason: "Unknown", containerID: CONTAINER_ID, message },
    { reason: "Error", containerID: "", message },
    { reason: "Error", containerID: CONTAINER_ID },
    { containerID: CONTAINER_ID, message },
  ])
    assert.ok(!hasEnded(podWith({ state: { terminated } }), RUN), JSON.stringify(terminated));
});

test("a pod that is gone, and another container of it, say nothing", () => {
  assert.ok(!hasEnded(null, RUN));
  assert.ok(!hasEnded(podWith({ state: ended("s-2"), name: "sidecar" }), RUN));
  const { status: _, ...unreported } = podWith({});
  assert.ok(!hasEnded(unreported, RUN));
});

test("whatever a pod says, a run is only gone by a word that names it", () => {
  const state = fc.record(
    {
      running: fc.constant({}),
      waiting: fc.record({ reason: fc.string() }),
      terminated: fc.record({
        reason: fc.constantFrom("Error", "Completed", "OOMKilled", "Unknown", "Evicted"),
        containerID: fc.constantFrom("", CONTAINER_ID),
        message: fc.oneof(fc.string(), fc.constantFrom("s-1", "s-3").map(terminationLine)),
      }),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(state, state, (now, last) => {
      assert.ok(!hasEnded(podWith({ state: now, lastState: last }), RUN));
    }),
  );
});

test("last words of any length leave the line that says whose end it is", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", maxLength: 5_000 }), (words) => {
      const written = Buffer.from(`${terminationLine("s-2")}\n${terminationWords(words)}`);
      // What a kubelet reads of the file.
      const message = written.subarray(-4_096).toString("utf8");
      assert.ok(!message.includes("\ufffd") || words.includes("\ufffd"));
      const terminated = { reason: "Error", containerID: CONTAINER_ID, message };
      assert.equal(hasEnded(podWith({ state: { terminated } }), RUN), true);
    }),
  );
  assert.equal(terminationWords("short"), "short\n");
});
