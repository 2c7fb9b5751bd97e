import assert from "node:assert/strict";
import { test } from "node:test";
import type { PostgresClusterStatus } from "../resource/status-schema.ts";
import { eventObject, eventsBetween } from "./events.ts";
import { statusPatch } from "./status-patch.ts";

function status(primary: string, accepted: "True" | "False" = "True"): PostgresClusterStatus {
  const condition = { reason: "Any", lastTransitionTime: "2026-11-23T01:00:00Z" };
  return {
    phase: "healthy",
    currentPrimary: primary,
    conditions: [{ type: "Accepted", status: accepted, message: "because", ...condition }],
  };
}

function told(from: PostgresClusterStatus | null, after: PostgresClusterStatus): string[] {
  return eventsBetween(from, { after }).map(
    ({ type, reason, note }) => `${type} ${reason}: ${note}`,
  );
}

test("a status that says the same is not written, in whatever order it comes back", () => {
  const now = status("a");
  const [condition] = now.conditions ?? [];
  const turned = Object.fromEntries(Object.entries(condition ?? {}).toReversed());
  const before = { conditions: [turned], currentPrimary: "a", phase: "healthy" };
  assert.equal(statusPatch(before as PostgresClusterStatus, { after: now }), null);
});

test("what has changed is written alone, and what is not so any more is taken away", () => {
  const { currentPrimary: _gone, ...without } = status("a");
  assert.deepEqual(statusPatch(status("a"), { after: without }), {
    status: { currentPrimary: null },
  });
  assert.deepEqual(statusPatch(null, { after: { phase: "x" } }), { status: { phase: "x" } });
});

test("another primary and a specification that cannot be done are events, once", () => {
  assert.deepEqual(told(status("a"), status("b")), [
    "Normal PrimaryChanged: b is the primary now, and a was",
  ]);
  assert.deepEqual(told(status("a"), status("a", "False")), ["Warning NotPossible: because"]);
  assert.deepEqual(told(status("a", "False"), status("a", "False")), []);
});

test("an event is of its cluster and never longer than the API takes it", () => {
  const event = eventObject(
    { type: "Normal", reason: "Any", note: "x".repeat(5_000) },
    {
      regarding: {
        apiVersion: "understudy.dev/v1alpha1",
        kind: "PostgresCluster",
        metadata: { name: "izdb", namespace: "shop", uid: "u" },
      },
      instance: "operator",
      at: new Date("2026-11-23T01:00:00Z"),
    },
  );
  assert.equal(event.metadata.namespace, "shop");
  assert.equal(event["eventTime"], "2026-11-23T01:00:00.000000Z");
  assert.equal(String(event["note"]).length, 1_000);
});
