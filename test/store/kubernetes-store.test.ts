import assert from "node:assert/strict";
import { test } from "node:test";
import { bumpGeneration } from "../../src/core/record-changes.ts";
import { newRecord } from "../../src/core/record.ts";
import { KubernetesApi } from "../../src/kubernetes-api/api.ts";
import { LEASE } from "../../src/kubernetes-api/kinds.ts";
import { KubernetesStore } from "../../src/store/kubernetes-store.ts";
import { changeRecord } from "../../src/store/store.ts";
import { LeaseServer } from "../kubernetes/lease-server.ts";
import { refusal, silence } from "../kubernetes/scripted-server.ts";
import { conformance } from "./conformance.ts";

const NAMESPACE = "shop";

/** A server and the stores that were opened on it; all end with it. */
async function leases() {
  const server = await LeaseServer.start();
  const opened = new AsyncDisposableStack();
  opened.use(server);
  const open = () => {
    const api = opened.use(new KubernetesApi({ access: server.access() }));
    const options = { api, namespace: NAMESPACE, cluster: "izdb" };
    return opened.use(new KubernetesStore(options));
  };
  return { server, open, [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose]() };
}

const SAMPLE = newRecord({ cluster: "izdb", founder: "izdb-1", ttlMs: 10_000, members: {} });

conformance("kubernetes", leases);

test("a Lease that was made without a record takes the first one, and keeps what else it has", async () => {
  await using subject = await leases();
  const labels = { "understudy.dev/cluster": "izdb" };
  const { apiVersion, kind } = LEASE;
  subject.server.found({ apiVersion, kind, metadata: { name: "izdb", labels } });
  const store = subject.open();
  assert.equal(await store.read(), null);
  const first = { record: SAMPLE, expected: null, durable: true };
  assert.deepEqual((await store.write(first))?.record, SAMPLE);
  assert.equal(await subject.open().write(first), null);
  const api = new KubernetesApi({ access: subject.server.access() });
  const lease = await api.get(LEASE, { namespace: NAMESPACE, name: "izdb" });
  api[Symbol.dispose]();
  assert.deepEqual(lease?.metadata.labels, labels);
});

test("a record that is gone is not put back by a change to it", async () => {
  await using subject = await leases();
  const change = { record: SAMPLE, expected: "7", durable: true };
  assert.equal(await subject.open().write(change), null);
  assert.equal(await subject.open().read(), null);
});

test("an API server that refuses, fails or is silent is a store that is away", async () => {
  await using subject = await leases();
  const store = subject.open();
  const first = await store.write({ record: SAMPLE, expected: null, durable: true });
  assert(first);
  for (const script of [
    refusal(403, { reason: "Forbidden" }),
    refusal(503, {}),
    refusal(422, {}),
  ]) {
    subject.server.fail(script);
    await assert.rejects(store.read(), { code: "STORE_UNAVAILABLE" });
    const change = { record: SAMPLE, expected: first.revision, durable: true };
    await assert.rejects(store.write(change), { code: "STORE_UNAVAILABLE" });
  }
  subject.server.fail(silence);
  await assert.rejects(store.read(), { code: "STORE_UNAVAILABLE" });
  subject.server.fail(null);
  assert.deepEqual(await store.read(), first);
});

test("a change is a read and a patch on condition", async () => {
  await using subject = await leases();
  const store = subject.open();
  await store.write({ record: SAMPLE, expected: null, durable: true });
  const before = subject.server.received.length;
  await changeRecord(store, bumpGeneration);
  const methods = subject.server.received.slice(before).map(({ method }) => method);
  assert.deepEqual(methods, ["GET", "PATCH"]);
});
