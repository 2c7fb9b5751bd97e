import assert from "node:assert/strict";
import { test } from "node:test";
import { newRecord, type ClusterRecord } from "../../core/record.ts";
import { REIGN_ANNOTATION } from "../../core/slice-reign.ts";
import type { KubernetesObject } from "../../kubernetes-api/resource.ts";
import { serviceAstray } from "./service-astray.ts";

const members = {
  "izdb-1": { host: "10.0.0.1", port: 5432, apiPort: 8008, tags: {} },
  "izdb-2": { host: "10.0.0.2", port: 5432, apiPort: 8008, tags: {} },
};
const record: ClusterRecord = {
  ...newRecord({ cluster: "izdb", founder: "izdb-1", ttlMs: 10_000, members }),
  systemId: "7",
  term: 4,
  leader: { member: "izdb-2", renewals: 1, lsn: null, timeline: 2 },
};

function slice(addresses: readonly string[], by?: string): KubernetesObject {
  const annotations = by === undefined ? {} : { [REIGN_ANNOTATION]: by };
  return Object.assign(
    { apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice" },
    { metadata: { name: "izdb-rw", annotations }, endpoints: [{ addresses }] },
  );
}

function astray(found: KubernetesObject | null, of: ClusterRecord | null = record): string | null {
  return serviceAstray({ service: "izdb-rw", slice: found, record: of });
}

test("the service for writes leads to the leader, in its term", () => {
  assert.equal(astray(slice(["10.0.0.2"], "7/4")), null);
});

test("another address, another term, more than one, and none are told", () => {
  assert.match(
    astray(slice(["10.0.0.1"], "7/3")) ?? "",
    /^izdb-rw leads to 10\.0\.0\.1 \(term 3\), and izdb-2 at 10\.0\.0\.2 is the primary in term 4; .*kubectl logs izdb-2-0$/,
  );
  for (const found of [
    slice(["10.0.0.2"], "7/3"),
    slice(["10.0.0.2"], "8/4"),
    slice(["10.0.0.2"]),
    slice(["10.0.0.1", "10.0.0.2"], "7/4"),
  ])
    assert.notEqual(astray(found), null);
  assert.match(astray(slice([], "7/4")) ?? "", /leads nowhere/);
  assert.match(astray(null) ?? "", /leads nowhere, and/);
});

test("where nobody leads there is nothing to lead to", () => {
  assert.equal(astray(slice([]), null), null);
  assert.equal(astray(slice(["10.0.0.1"]), { ...record, leader: null }), null);
});
