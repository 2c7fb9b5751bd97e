import assert from "node:assert/strict";
import { test } from "node:test";
import { clusterWith } from "../../../test/support/postgres-clusters.ts";
import type { PostgresCluster } from "../resource/postgres-cluster.ts";
import { podMark } from "./pod-mark.ts";
import { memberVolumes } from "./volumes.ts";

function marks(cluster: PostgresCluster): string[] {
  return memberVolumes(cluster).map((volumes) => podMark(cluster, volumes));
}

const FULL = {
  postgres: { image: "postgres:18", uid: 26, pullPolicy: "Always", pullSecrets: ["a"] },
  resources: { requests: { cpu: "1" }, limits: { memory: "1Gi" } },
  scheduling: { nodeSelector: { disk: "" }, priorityClass: "high" },
  storage: { size: "1Gi", wal: { size: "1Gi" } },
  standbys: 0,
};

test("the marks are these: with any other one an operator that is updated restarts every cluster", () => {
  assert.deepEqual(marks(clusterWith()), [
    "410c2b05ee8f128d",
    "aef99e1553056d15",
    "bad5eb2a5985effe",
  ]);
  assert.deepEqual(marks(clusterWith(FULL)), ["ecfb2a77c48ded08"]);
});

test("a field that a later version adds, and that says nothing, changes no mark", () => {
  const cluster = clusterWith();
  const { spec } = cluster;
  const later = {
    ...cluster,
    spec: {
      ...spec,
      resources: { ...spec.resources, claims: [] },
      scheduling: { ...spec.scheduling, topology: {}, spread: false, schedulerName: "" },
    },
  };
  assert.deepEqual(marks(later), marks(cluster));
});

test("what a pod is made from is in its mark, an empty text of a label too", () => {
  const [full] = marks(clusterWith(FULL));
  for (const change of [
    { postgres: { ...FULL.postgres, image: "postgres:18.4" } },
    { postgres: { ...FULL.postgres, pullSecrets: [] } },
    { resources: {} },
    { scheduling: { priorityClass: "high" } },
    { storage: { size: "1Gi" } },
    { stopSeconds: 99 },
  ])
    assert.notEqual(marks(clusterWith({ ...FULL, ...change }))[0], full, JSON.stringify(change));
  for (const change of [{ storage: { size: "2Gi", wal: { size: "3Gi" } } }, { standbys: 1 }])
    assert.equal(marks(clusterWith({ ...FULL, ...change }))[0], full, JSON.stringify(change));
});
