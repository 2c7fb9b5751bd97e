import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { UnderstudyError } from "../../src/core/errors.ts";
import { accessInPod, namespaceInPod } from "../../src/kubernetes-api/access.ts";
import { KubernetesApi } from "../../src/kubernetes-api/api.ts";
import { LEASE } from "../../src/kubernetes-api/kinds.ts";
import type { KubernetesObject } from "../../src/kubernetes-api/resource.ts";
import { answer, refusal, ScriptedServer, silence, type Script } from "./scripted-server.ts";

const PLACE = { namespace: "shop", name: "izdb" };
const PATH = "/apis/coordination.k8s.io/v1/namespaces/shop/leases/izdb";

function lease(resourceVersion: string): KubernetesObject {
  const { apiVersion, kind } = LEASE;
  return { apiVersion, kind, metadata: { ...PLACE, resourceVersion } };
}

function absent(): Script {
  return refusal(404, { reason: "NotFound", details: { name: "izdb", kind: "leases" } });
}

const half: Script = (response) => {
  response.writeHead(200, { "content-length": "100" });
  response.write('{"metadata":');
  setImmediate(() => response.destroy());
};

/** As it stands in a list. */
function item(name: string) {
  return { metadata: { name, resourceVersion: "1" } };
}

function page(names: readonly string[], next: string): Script {
  const metadata = { resourceVersion: "9", continue: next };
  return answer(200, { metadata, items: names.map(item) });
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (thrown) {
    assert(thrown instanceof UnderstudyError, String(thrown));
    return thrown.code;
  }
  return assert.fail("nothing was thrown");
}

test("an object is read from its path, with the token; one that is not there is null", async () => {
  await using server = await ScriptedServer.start(answer(200, lease("7")), absent());
  using api = new KubernetesApi({ access: server.access("first") });
  assert.deepEqual(await api.get(LEASE, PLACE), lease("7"));
  assert.equal(await api.get(LEASE, PLACE), null);
  const [asked] = server.received;
  assert.equal(asked?.path, PATH);
  assert.equal(asked?.headers["authorization"], "Bearer first");
});

test("a token that is refused is read anew once, and then the refusal is told", async () => {
  const refused = refusal(401, { reason: "Unauthorized", message: "Unauthorized" });
  await using server = await ScriptedServer.start(refused, answer(200, lease("7")), refused);
  using api = new KubernetesApi({ access: server.access("old", "new") });
  assert.deepEqual(await api.get(LEASE, PLACE), lease("7"));
  assert.equal(server.received[1]?.headers["authorization"], "Bearer new");
  assert.equal(await codeOf(api.get(LEASE, PLACE)), "KUBERNETES_FORBIDDEN");
  assert.equal(server.received.length, 4);
});

test("who is throttled asks again when told to", async () => {
  const throttled = refusal(429, { reason: "TooManyRequests" }, { "retry-after": "0" });
  await using server = await ScriptedServer.start(throttled, throttled, answer(200, lease("7")));
  using api = new KubernetesApi({ access: server.access() });
  assert.deepEqual(await api.get(LEASE, PLACE), lease("7"));
});

test("who is throttled for longer than there is time for is told so at once", async () => {
  const throttled = refusal(429, { reason: "TooManyRequests" }, { "retry-after": "3600" });
  await using server = await ScriptedServer.start(throttled);
  using api = new KubernetesApi({ access: server.access() });
  assert.equal(await codeOf(api.get(LEASE, PLACE)), "KUBERNETES_UNAVAILABLE");
});

test("no answer, no server and half an answer are the same error, and a signal ends it at once", async () => {
  const server = await ScriptedServer.start(silence, half, silence);
  const access = server.access();
  using api = new KubernetesApi({ access });
  const purpose = /^cannot read Lease shop\/izdb: no answer within 0.1 s$/;
  await assert.rejects(api.get(LEASE, PLACE, { timeoutMs: 100 }), { message: purpose });
  assert.equal(await codeOf(api.get(LEASE, PLACE)), "KUBERNETES_UNAVAILABLE");
  const end = new AbortController();
  const waiting = api.get(LEASE, PLACE, { signal: end.signal });
  end.abort(new Error("not wanted any more"));
  await assert.rejects(waiting, { message: "not wanted any more" });
  await server[Symbol.asyncDispose]();
  assert.equal(await codeOf(api.get(LEASE, PLACE)), "KUBERNETES_UNAVAILABLE");
});

test("what is no object is an error, and not an object", async () => {
  await using server = await ScriptedServer.start(answer(200, "ok"), (response) => {
    response.end("<html>");
  });
  using api = new KubernetesApi({ access: server.access() });
  assert.equal(await codeOf(api.get(LEASE, PLACE)), "KUBERNETES_UNAVAILABLE");
  assert.equal(await codeOf(api.get(LEASE, PLACE)), "KUBERNETES_UNAVAILABLE");
});

test("a list comes page by page, and from the beginning when its first page has become too old", async () => {
  await using server = await ScriptedServer.start(
    page(["a"], "more"),
    refusal(410, { reason: "Expired" }),
    page(["b"], "more"),
    page(["c"], ""),
  );
  using api = new KubernetesApi({ access: server.access() });
  const { items, resourceVersion } = await api.list(LEASE, {
    namespace: "shop",
    labelSelector: "understudy.dev/cluster=izdb",
  });
  assert.deepEqual(
    items.map(({ kind, metadata }) => `${kind} ${metadata.name}`),
    ["Lease b", "Lease c"],
  );
  assert.equal(resourceVersion, "9");
  const [, second, third] = server.received;
  assert.equal(second?.query["continue"], "more");
  assert.equal(third?.query["continue"], undefined);
  assert.equal(third?.query["labelSelector"], "understudy.dev/cluster=izdb");
});

test("a change of a version that is not the newest any more is no error but an outcome", async () => {
  const conflict = refusal(409, { reason: "Conflict", message: "the object has been modified" });
  const exists = refusal(409, { reason: "AlreadyExists", message: "it exists" });
  await using server = await ScriptedServer.start(
    answer(200, lease("8")),
    conflict,
    absent(),
    exists,
    conflict,
  );
  using api = new KubernetesApi({ access: server.access() });
  const patch = { metadata: { resourceVersion: "7", annotations: { a: "b" } } };
  const change = () => api.patch(LEASE, { place: PLACE, patch });
  assert.deepEqual(await change(), { kind: "changed", object: lease("8") });
  const other = { kind: "other", why: "the object has been modified" };
  assert.deepEqual(await change(), other);
  assert.equal((await api.replace(LEASE, lease("7"))).kind, "other");
  assert.equal((await api.create(LEASE, lease("7"))).kind, "other");
  assert.equal((await api.apply(LEASE, lease("7"))).kind, "other");
  const [patched, , replaced, created, applied] = server.received;
  assert.equal(patched?.headers["content-type"], "application/merge-patch+json");
  assert.deepEqual(JSON.parse(patched?.body ?? ""), patch);
  assert.equal(replaced?.method, "PUT");
  assert.equal(created?.path, "/apis/coordination.k8s.io/v1/namespaces/shop/leases");
  assert.equal(applied?.headers["content-type"], "application/apply-patch+yaml");
  assert.deepEqual(applied?.query, { fieldManager: "understudy", force: "false" });
});

test("a change whose answer was lost is not sent again: nobody knows whether it was done", async () => {
  await using server = await ScriptedServer.start((response) => void response.destroy());
  using api = new KubernetesApi({ access: server.access() });
  const change = { place: PLACE, patch: { metadata: { resourceVersion: "7" } } };
  assert.equal(await codeOf(api.patch(LEASE, change)), "KUBERNETES_UNAVAILABLE");
  assert.equal(server.received.length, 1);
});

test("only that very object is deleted which was meant", async () => {
  await using server = await ScriptedServer.start(
    answer(200, lease("8")),
    absent(),
    refusal(409, { reason: "Conflict" }),
  );
  using api = new KubernetesApi({ access: server.access() });
  const remove = () => api.delete(LEASE, PLACE, { uid: "u-1" });
  assert.deepEqual(
    [await remove(), await remove(), await remove()],
    ["deleted", "absent", "other"],
  );
  assert.deepEqual(JSON.parse(server.received[0]?.body ?? "").preconditions, { uid: "u-1" });
});

test("a version that the server does not have, and a kind that is not in it, are not served", async () => {
  const resources = [{ name: "leases" }, { name: "leases/status" }];
  await using server = await ScriptedServer.start(
    answer(200, { kind: "APIResourceList", resources }),
    answer(200, { kind: "APIResourceList", resources: [] }),
    refusal(404, { reason: "NotFound", details: {} }),
    refusal(503, {}),
  );
  using api = new KubernetesApi({ access: server.access() });
  const served = [await api.serves(LEASE), await api.serves(LEASE), await api.serves(LEASE)];
  assert.deepEqual(served, [true, false, false]);
  assert.equal(await codeOf(api.serves(LEASE)), "KUBERNETES_UNAVAILABLE");
  assert.equal(server.received[0]?.path, "/apis/coordination.k8s.io/v1");
});

test("in a pod address and credentials come from where the kubelet puts them, and are read anew", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "understudy-pod-"));
  t.after(() => rm(directory, { recursive: true }));
  for (const [name, text] of Object.entries({ "ca.crt": "CA", token: "one\n", namespace: "shop" }))
    await writeFile(join(directory, name), text);
  const env = { KUBERNETES_SERVICE_HOST: "fd00::1", KUBERNETES_SERVICE_PORT: "443" };
  const access = accessInPod({ env, directory });
  assert.equal(access.server.href, "https://[fd00::1]/");
  assert.equal((await access.credentials({ renew: false })).token?.reveal(), "one");
  await writeFile(join(directory, "token"), "two");
  assert.equal((await access.credentials({ renew: false })).token?.reveal(), "one");
  assert.equal((await access.credentials({ renew: true })).token?.reveal(), "two");
  assert.equal(await namespaceInPod(directory), "shop");
  assert.throws(() => accessInPod({ env: {} }), { code: "KUBERNETES_UNAVAILABLE" });
  const elsewhere = accessInPod({ env, directory: join(directory, "none") });
  assert.equal(await codeOf(elsewhere.credentials({ renew: false })), "KUBERNETES_FORBIDDEN");
});
