import assert from "node:assert/strict";
import { test } from "node:test";
import {
  clusterWith,
  PASSWORDS,
  SURROUNDINGS,
  TRUSTED,
} from "../../../test/support/postgres-clusters.ts";
import { kindOfObject } from "../../kubernetes-api/kinds.ts";
import { clusterObjects } from "./cluster-objects.ts";
import { operatorObjects, operatorRules, type Rule } from "./operator-objects.ts";
import { rights } from "./rights.ts";

/** Whether somebody with these rules may do that. */
function may(rules: readonly Rule[], what: { group: string; resource: string; verb: string }) {
  const { group, resource, verb } = what;
  return rules.some(
    ({ apiGroups, resources, verbs }) =>
      apiGroups.includes(group) && resources.includes(resource) && verbs.includes(verb),
  );
}

function groupOf(apiVersion: string): string {
  return apiVersion.includes("/") ? (apiVersion.split("/")[0] ?? "") : "";
}

test("the operator may make each object that a cluster becomes", () => {
  const of = { passwords: PASSWORDS, trusted: TRUSTED, surroundings: SURROUNDINGS };
  const { founded, applied } = clusterObjects(clusterWith(), of);
  for (const object of [...founded, ...applied]) {
    const { plural: resource } = kindOfObject(object);
    const group = groupOf(object.apiVersion);
    for (const verb of ["get", "create", "patch"])
      assert.ok(may(operatorRules(), { group, resource, verb }), `${verb} ${resource}`);
  }
});

test("it has every right that it gives to agents, or it could not give it", () => {
  const role = rights(clusterWith()).find(({ kind }) => kind === "Role");
  const given = role?.["rules"];
  assert(Array.isArray(given) && given.length > 0);
  for (const { apiGroups, resources, verbs } of given as Rule[])
    for (const verb of verbs) {
      const [group = "", resource = ""] = [apiGroups[0], resources[0]];
      assert.ok(may(operatorRules(), { group, resource, verb }), `${verb} ${resource}`);
    }
});

test("nobody is given everything, and Secrets are neither listed nor watched", () => {
  for (const { apiGroups, resources, verbs } of operatorRules())
    for (const each of [apiGroups, resources, verbs].flat()) assert.doesNotMatch(each, /\*/);
  for (const verb of ["list", "watch", "deletecollection", "escalate", "bind"])
    assert.ok(!may(operatorRules(), { group: "", resource: "secrets", verb }), verb);
});

test("what is installed fits together", () => {
  const objects = operatorObjects({
    image: "registry.example/understudy:1",
    namespace: "ust",
    hasRules: true,
  });
  assert.deepEqual(
    objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`),
    [
      "Namespace ust",
      "CustomResourceDefinition postgresclusters.understudy.dev",
      "ServiceAccount understudy-operator",
      "ClusterRole understudy-operator",
      "ClusterRoleBinding understudy-operator",
      "Deployment understudy-operator",
    ],
  );
  for (const { kind, metadata } of objects)
    assert.equal(
      metadata.namespace,
      ["ServiceAccount", "Deployment"].includes(kind) ? "ust" : undefined,
    );
});
