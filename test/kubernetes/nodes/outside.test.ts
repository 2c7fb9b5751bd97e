// What a person sees and does from outside, where kubelets are real: the API server reaches pods by
// itself, keeps what they write, and says why one does not start.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { POSTGRES_CLUSTER } from "../../../src/kubernetes-api/kinds.ts";
import type { KubernetesObject } from "../../../src/kubernetes-api/resource.ts";
import type { PostgresClusterStatus } from "../../../src/kubernetes/resource/status-schema.ts";
import { eventually } from "../../support/eventually.ts";
import { Kubernetes } from "../cluster/kubernetes.ts";
import { kubeconfigFor, programWith } from "../outside.ts";
import { PodCluster } from "../pod-cluster.ts";
import { installOperator } from "../pod-operator.ts";

const OF_SHOP = ["--namespace", "shop", "--name", "izdb"];
const kubernetes = await Kubernetes.start({ nodes: 1 });
after(() => kubernetes[Symbol.asyncDispose]());
await kubernetes.addVolumes();
await installOperator(kubernetes);
const kubeconfig = await kubeconfigFor(kubernetes.server);
after(() => kubeconfig[Symbol.asyncDispose]());
const run = programWith(kubeconfig.path);

test("an image that cannot be had is told in a condition, and the right one heals it", async () => {
  const namespace = "shop";
  await kubernetes.server.makeNamespace(namespace);
  await using cluster = PodCluster.in(kubernetes, namespace);
  const image = "registry.invalid/postgres:15";
  await cluster.apply({ standbys: 1, postgres: { image } });
  const condition = async () => {
    const object = await kubernetes.api.get<KubernetesObject & { status?: PostgresClusterStatus }>(
      POSTGRES_CLUSTER,
      cluster.at,
    );
    return object?.status?.conditions?.find(({ type }) => type === "Blocked");
  };
  const found = await eventually("what is in the way", async () => {
    const blocked = await condition();
    return blocked?.status === "True" ? blocked : null;
  });
  assert.equal(found.reason, "ImagePullBackOff");
  assert.match(found.message, /izdb-1: the image registry\.invalid\/postgres:15 cannot be pulled/);
  const early = await run("understudy", "status", ...OF_SHOP, "--json");
  assert.match(JSON.parse(early.err).message, /has not come up yet .*cannot be pulled/);
  await cluster.apply({ standbys: 1 });
  await cluster.untilStreaming({ standbys: 1 });
  await eventually("nothing in the way", async () => (await condition())?.status === "False");

  const status = await run("kubectl-understudy", "status", "-n", "shop", "izdb", "--json");
  assert.equal(status.status, 0, status.err);
  const { primary } = JSON.parse(status.out);
  const logs = await run("understudy", "logs", primary, "--lines", "500", ...OF_SHOP);
  assert.equal(logs.status, 0, logs.err);
  assert.match(logs.out, /"event":"promoted"/);
  assert.match(logs.out, /database system is ready/);
  const both = await run("understudy", "logs", ...OF_SHOP, "--json");
  const members = both.out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line).member);
  assert.deepEqual([...new Set(members)].toSorted(), ["izdb-1", "izdb-2"]);
  const switched = await run("understudy", "switchover", "-n", "shop", "izdb");
  assert.equal(switched.status, 0, switched.err);
  await cluster.untilStreaming({ standbys: 1, not: primary });
});
