import assert from "node:assert/strict";
import { test } from "node:test";
import {
  PASSWORDS,
  SURROUNDINGS,
  TRUSTED,
  clusterWith,
} from "../../../test/support/postgres-clusters.ts";
import type { KubernetesObject } from "../../kubernetes-api/resource.ts";
import { clusterObjects } from "../objects/cluster-objects.ts";
import type { Reading } from "./reading.ts";
import { ACCEPTED_ANNOTATION, takenPlaces, wantedOf } from "./wanted.ts";

const NOTHING: Reading = { present: new Map(), pods: new Map(), statefulSets: [] };
const allowed = () => [];

function object(spec: Readonly<Record<string, unknown>> = {}): KubernetesObject {
  const asked = { postgres: { image: "postgres:18" }, storage: { size: "1Gi" }, ...spec };
  return Object.assign(
    {
      apiVersion: "understudy.dev/v1alpha1",
      kind: "PostgresCluster",
      metadata: { name: "izdb", namespace: "shop", generation: 7 },
    },
    { spec: asked },
  );
}

/** After the specification was accepted. */
function acceptedAs(text: string): Reading {
  const metadata = { name: "izdb-specification", annotations: { [ACCEPTED_ANNOTATION]: text } };
  const configMap = { apiVersion: "v1", kind: "ConfigMap", metadata };
  return { ...NOTHING, present: new Map([["ConfigMap izdb-specification", configMap]]) };
}

const FORMER = acceptedAs(JSON.stringify(clusterWith({ standbys: 1 }).spec));

test("a specification that can be done is what is wanted", () => {
  const { cluster, objections, isFounded } = wantedOf(object(), {
    reading: NOTHING,
    check: allowed,
  });
  assert.deepEqual(objections, []);
  assert.equal(cluster?.spec.postgres.image, "postgres:18");
  assert.equal(isFounded, false);
});

test("one that cannot leaves the former in place, with the present generation", () => {
  for (const spec of [{ postgres: { image: "postgres:17" } }, { standbys: -1 }, { nonsense: 1 }]) {
    const found = wantedOf(object(spec), { reading: FORMER, check: allowed });
    assert.ok(found.objections.length > 0, JSON.stringify(spec));
    assert.equal(found.cluster?.major, 18);
    assert.equal(found.cluster?.generation, 7);
  }
  const members = [{ claim: "a" }, { claim: "b" }];
  const moved = wantedOf(object({ storage: undefined, standbys: 1, members }), {
    reading: FORMER,
    check: allowed,
  });
  assert.match(moved.objections.join(), /the data of izdb-1 is in the claim izdb-1-data/);
  assert.equal(moved.cluster?.spec.members, undefined);
  const refused = wantedOf(object(), { reading: FORMER, check: () => ["wal_level is ours"] });
  assert.deepEqual(refused.objections, ["wal_level is ours"]);
  assert.ok(refused.cluster);
});

test("a former one that cannot be understood is as none", () => {
  for (const text of ["{", "{}", "null"]) {
    const { cluster, isFounded } = wantedOf(object({ standbys: -1 }), {
      reading: acceptedAs(text),
      check: allowed,
    });
    assert.equal(cluster, null);
    assert.equal(isFounded, false);
  }
});

test("what another cluster has in a claim nobody else gets, nor what is within it or around it", () => {
  const has = clusterWith(
    { storage: undefined, standbys: 0, members: [{ claim: "nfs", subPath: "a/data" }] },
    { name: "first" },
  );
  const { applied } = clusterObjects(has, {
    passwords: PASSWORDS,
    trusted: TRUSTED,
    surroundings: SURROUNDINGS,
  });
  const sets = applied.filter(({ kind }) => kind === "StatefulSet");
  const objections = (subPath: string, name = "second") =>
    takenPlaces(
      clusterWith(
        { storage: undefined, standbys: 0, members: [{ claim: "nfs", subPath }] },
        { name },
      ),
      sets,
    );
  assert.match(objections("a/data")[0] ?? "", /first-1 of the cluster first has its own there/);
  assert.equal(objections("a").length, 1);
  assert.equal(objections("a/data/b").length, 1);
  assert.equal(objections("a/data2").length, 0);
  assert.equal(objections("a/data", "first").length, 0);
});
