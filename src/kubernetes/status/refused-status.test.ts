import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubernetesObject } from "../../kubernetes-api/resource.ts";
import type { PostgresClusterStatus } from "../resource/status-schema.ts";
import { troubledStatus } from "./refused-status.ts";

const object: KubernetesObject = {
  apiVersion: "understudy.dev/v1alpha1",
  kind: "PostgresCluster",
  metadata: { name: "izdb", generation: 2 },
};
const FORBIDDEN = {
  code: "KUBERNETES_FORBIDDEN",
  message: "it may not",
  hasLooked: false,
} as const;

function sound(): PostgresClusterStatus {
  const at = "2026-11-23T08:00:00Z";
  const condition = (type: string, status: "True" | "False") =>
    ({ type, status, reason: "Fine", message: "fine", lastTransitionTime: at }) as const;
  return {
    phase: "healthy",
    ready: "3/3",
    conditions: [
      condition("Ready", "True"),
      condition("PrimaryAvailable", "True"),
      condition("Accepted", "True"),
      condition("Degraded", "False"),
      condition("SyncSatisfied", "True"),
      condition("Progressing", "False"),
    ],
  };
}

function told(status: PostgresClusterStatus): Record<string, string> {
  return Object.fromEntries((status.conditions ?? []).map((each) => [each.type, each.status]));
}

/** After so many seconds of which each tenth had a look that failed. */
function after(seconds: number, hasLooked = false): PostgresClusterStatus {
  let before = sound();
  for (let passed = 0; passed <= seconds; passed += 10) {
    const at = new Date(Date.parse("2026-11-23T09:00:00Z") + passed * 1_000);
    const about = { object, before, at: at.toISOString().replace(/\.\d+Z$/, "Z") };
    before = troubledStatus({ ...FORBIDDEN, hasLooked }, about);
  }
  return before;
}

test("what could not be looked at for long is not known, and is not called good", () => {
  const status = after(10);
  assert.deepEqual(told(status), {
    Accepted: "True",
    Ready: "Unknown",
    PrimaryAvailable: "Unknown",
    Degraded: "Unknown",
    SyncSatisfied: "Unknown",
    Progressing: "Unknown",
  });
  const ready = status.conditions?.find(({ type }) => type === "Ready");
  assert.equal(ready?.reason, "KubernetesForbidden");
  assert.match(ready?.message ?? "", /could not be looked at; it may not/);
  assert.equal(status.phase, "not looked at");
  assert.deepEqual(told(after(60)), told(status));
});

test("one look that fails says that it did, and leaves the rest as it was seen", () => {
  assert.deepEqual(told(after(0)), { ...told(sound()), Progressing: "Unknown" });
});

test("a step that fails after the look does not unsay what was seen", () => {
  const status = after(60, true);
  assert.deepEqual(told(status), { ...told(sound()), Progressing: "Unknown" });
  assert.equal(status.phase, "healthy");
});

test("of a cluster of which nothing was ever told nothing is known", () => {
  const status = troubledStatus(FORBIDDEN, { object, before: null, at: "2026-11-23T09:00:00Z" });
  assert.deepEqual(told(status), { Progressing: "Unknown" });
});
