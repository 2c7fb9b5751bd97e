import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubernetesObject } from "../../kubernetes-api/resource.ts";
import { ClusterNews } from "./cluster-news.ts";

function cluster(version: string, change: Record<string, unknown> = {}): KubernetesObject {
  const metadata = {
    name: "izdb",
    namespace: "shop",
    uid: "u",
    resourceVersion: version,
    managedFields: [{ manager: version }],
    ...Object(change["metadata"]),
  };
  const { metadata: _metadata, ...rest } = change;
  const spec = { standbys: 1 };
  return Object.assign({ apiVersion: "v1", kind: "PostgresCluster", spec }, rest, { metadata });
}

test("a status that was written is no news; a specification, an annotation and an end are", () => {
  const news = new ClusterNews();
  assert.equal(news.isNews(cluster("1")), true);
  assert.equal(news.isNews(cluster("2", { status: { phase: "healthy" } })), false);
  assert.equal(news.isNews(cluster("3", { spec: { standbys: 2 } })), true);
  const annotations = { "understudy.dev/restart": "now" };
  const spec = { standbys: 2 };
  assert.equal(news.isNews(cluster("4", { spec, metadata: { annotations } })), true);
  assert.equal(news.isNews(cluster("5", { spec, metadata: { annotations } })), false);
  const deletionTimestamp = "2026-11-23T08:00:00Z";
  assert.equal(
    news.isNews(cluster("6", { spec, metadata: { annotations, deletionTimestamp } })),
    true,
  );
  news.forget(cluster("6"));
  assert.equal(
    news.isNews(cluster("6", { spec, metadata: { annotations, deletionTimestamp } })),
    true,
  );
});
