// A cluster's certificates as the operator keeps them in the Kubernetes API, by its own rights.
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { after, before, test } from "node:test";
import { KubernetesApi } from "../../../src/kubernetes-api/api.ts";
import { kindOfObject } from "../../../src/kubernetes-api/kinds.ts";
import type { KubernetesObject } from "../../../src/kubernetes-api/resource.ts";
import { certificatesIn } from "../../../src/kubernetes/certificates/authority.ts";
import { textIn } from "../../../src/kubernetes/certificates/certificate-secrets.ts";
import { operatorObjects } from "../../../src/kubernetes/objects/operator-objects.ts";
import { keepCertificates } from "../../../src/kubernetes/operator/keep-certificates.ts";
import { clusterWith, SURROUNDINGS } from "../../support/postgres-clusters.ts";
import { ApiServer } from "../cluster/api-server.ts";

const OPERATOR = "system:serviceaccount:understudy:understudy-operator";
const SECRET = kindOfObject({ apiVersion: "v1", kind: "Secret", metadata: { name: "" } });
const DAY_MS = 86_400_000;
const NAMES = ["ca", "1-tls", "2-tls", "replication"];

let server: ApiServer;
let administrator: KubernetesApi;
let operator: KubernetesApi;

before(async () => {
  server = await ApiServer.start({ users: [OPERATOR] });
  administrator = new KubernetesApi({ access: server.access() });
  const install = { image: "understudy:test", namespace: "understudy", hasRules: false };
  for (const object of operatorObjects(install))
    await administrator.apply(kindOfObject(object), object, { force: true });
  await server.makeNamespace("shop");
  operator = new KubernetesApi({ access: server.access(OPERATOR) });
});

after(async () => {
  operator[Symbol.dispose]();
  administrator[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
});

/** One pass of the operator, so many days from now. */
function keep(name: string, days = 0): ReturnType<typeof keepCertificates> {
  return keepCertificates({
    api: operator,
    cluster: clusterWith({ standbys: 1 }, { name, uid: undefined }),
    surroundings: SURROUNDINGS,
    now: new Date(Date.now() + days * DAY_MS),
    signal: AbortSignal.timeout(60_000),
  });
}

async function read(name: string): Promise<KubernetesObject> {
  const found = await operator.get(SECRET, { namespace: "shop", name });
  assert(found !== null, name);
  return found;
}

async function versions(cluster: string): Promise<(string | undefined)[]> {
  const all = await Promise.all(NAMES.map((name) => read(`${cluster}-${name}`)));
  return all.map(({ metadata }) => metadata.resourceVersion);
}

test("certificates are made once, left alone while they are good, and issued anew in time", async () => {
  const made = await keep("one");
  assert.deepEqual(
    made.made,
    ["ca", "1-tls", "2-tls", "replication"].map((each) => `Secret one-${each}`),
  );
  const first = await versions("one");
  const again = await keep("one", 59);
  assert.deepEqual([again.made, again.renewed], [[], []]);
  assert.deepEqual(await versions("one"), first);
  const later = await keep("one", 61);
  assert.deepEqual(later.renewed, ["one-1-tls", "one-2-tls", "one-replication"]);
  assert.equal(later.trusted, made.trusted);
  assert.equal((await read("one-ca")).metadata.resourceVersion, first[0]);
  const certificate = new X509Certificate(textIn(await read("one-1-tls"), "tls.crt"));
  assert(certificate.validToDate.getTime() > Date.now() + 145 * DAY_MS);
});

test("one that is deleted or damaged is issued again, by the same authority", async () => {
  const { trusted } = await keep("two");
  await administrator.delete(SECRET, { namespace: "shop", name: "two-1-tls" });
  const place = { namespace: "shop", name: "two-2-tls" };
  await operator.patch(SECRET, { place, patch: { stringData: { "tls.crt": "damaged" } } });
  const kept = await keep("two");
  assert.deepEqual([kept.made, kept.renewed], [["Secret two-1-tls"], ["two-2-tls"]]);
  assert.equal(kept.trusted, trusted);
});

test("an authority that is lost is succeeded, and what it had issued is trusted until it is renewed", async () => {
  const { trusted } = await keep("three");
  const certificate = textIn(await read("three-1-tls"), "tls.crt");
  await administrator.delete(SECRET, { namespace: "shop", name: "three-ca" });
  const kept = await keep("three");
  assert.deepEqual([kept.made, kept.renewed], [["Secret three-ca"], []]);
  assert.equal(certificatesIn(kept.trusted ?? "").length, 2);
  assert(kept.trusted?.endsWith(trusted ?? "-"));
  const secret = await read("three-1-tls");
  assert.equal(textIn(secret, "tls.crt"), certificate);
  assert.equal(textIn(secret, "ca.crt"), kept.trusted);
});

test("where all of it is deleted, as for a key that others know, nothing that it issued is trusted", async () => {
  const { trusted } = await keep("stolen");
  // As docs/operate/kubernetes.md says, while no operator runs.
  const labelSelector = "understudy.dev/cluster=stolen";
  const fieldSelector = "type=kubernetes.io/tls";
  const selection = { namespace: "shop", labelSelector, fieldSelector };
  const { items } = await administrator.list(SECRET, selection);
  const names = ["stolen-1-tls", "stolen-2-tls", "stolen-replication"];
  assert.deepEqual(
    items.map(({ metadata }) => metadata.name),
    names,
  );
  for (const name of ["stolen-ca", ...names])
    await administrator.delete(SECRET, { namespace: "shop", name });
  const kept = await keep("stolen");
  assert.equal(certificatesIn(kept.trusted ?? "").length, 1);
  assert.notEqual(kept.trusted, trusted);
  for (const name of names) assert.equal(textIn(await read(name), "ca.crt"), kept.trusted);
});

test("the next authority is told to everybody before it issues, and takes over a day later", async () => {
  const { trusted } = await keep("four");
  const both = await keep("four", 2_500);
  assert.equal(certificatesIn(both.trusted ?? "").length, 2);
  assert(both.trusted?.startsWith(trusted ?? "-"));
  const next = await keep("four", 2_502);
  assert.equal(certificatesIn(next.trusted ?? "").length, 2);
  assert(next.trusted?.endsWith(trusted ?? "-"));
  const [issuer] = certificatesIn(next.trusted ?? "");
  assert(issuer !== undefined);
  await keep("four", 2_562);
  const leaf = new X509Certificate(textIn(await read("four-1-tls"), "tls.crt"));
  assert(leaf.verify(new X509Certificate(issuer).publicKey));
});

test("a damaged authority is told with its remedy, and nothing is issued by it", async () => {
  await keep("five");
  const place = { namespace: "shop", name: "five-ca" };
  await operator.patch(SECRET, { place, patch: { stringData: { "ca.key": "damaged" } } });
  const earlier = await versions("five");
  const { trusted, objections } = await keep("five", 61);
  assert.equal(trusted, null);
  assert.match(objections.join(""), /five-ca holds no certificate with its key.*delete it/);
  assert.deepEqual(await versions("five"), earlier);
});
