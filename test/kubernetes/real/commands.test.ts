import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { parseAllDocuments } from "yaml";
import { KubernetesApi } from "../../../src/kubernetes-api/api.ts";
import { kindOfObject, POSTGRES_CLUSTER } from "../../../src/kubernetes-api/kinds.ts";
import type { KubernetesObject } from "../../../src/kubernetes-api/resource.ts";
import { textIn } from "../../../src/kubernetes/certificates/certificate-secrets.ts";
import { kindOf, STATEFUL_SET } from "../../../src/kubernetes/operator/reading.ts";
import { eventually } from "../../support/eventually.ts";
import { takePortBlock } from "../../support/port-block.ts";
import { ApiServer } from "../cluster/api-server.ts";

const PROGRAM = fileURLToPath(new URL("../../../bin/understudy.js", import.meta.url));
const OPERATOR = "system:serviceaccount:understudy:understudy-operator";
const SAMPLE = `
apiVersion: understudy.dev/v1alpha1
kind: PostgresCluster
metadata: {name: izdb, namespace: shop}
spec:
  postgres: {image: "postgres:18", parameters: {shared_buffers: 256MB}}
  standbys: 1
  storage: {size: 1Gi}
`;

const server = await ApiServer.start({ users: [OPERATOR] });
const api = new KubernetesApi({ access: server.access() });
const directory = await mkdtemp(join(await realpath(tmpdir()), "understudy-kubectl-"));
const kubeconfig = join(directory, "config");
await writeFile(kubeconfig, await configFor([undefined, OPERATOR]), { mode: 0o600 });
await writeFile(join(directory, "cluster.yaml"), SAMPLE);
after(async () => {
  api[Symbol.dispose]();
  await rm(directory, { recursive: true, force: true });
  await server[Symbol.asyncDispose]();
});

/** The first is the current context; each is called as its user, or "administrator". */
async function configFor(users: readonly (string | undefined)[]): Promise<string> {
  const { authority } = await server.access().credentials({ renew: false });
  const ca = Buffer.from(authority ?? "").toString("base64");
  const named = await Promise.all(
    users.map(async (user) => {
      const { token } = await server.access(user).credentials({ renew: false });
      return { name: user ?? "administrator", token: token?.reveal() };
    }),
  );
  return JSON.stringify({
    "current-context": "administrator",
    clusters: [
      {
        name: "test",
        cluster: { server: server.server.href, "certificate-authority-data": ca },
      },
    ],
    users: named.map(({ name, token }) => ({ name, user: { token } })),
    contexts: named.map(({ name }) => ({ name, context: { cluster: "test", user: name } })),
  });
}

function start(args: readonly string[]): ChildProcess {
  return spawn(process.execPath, [PROGRAM, ...args], {
    env: { ...process.env, KUBECONFIG: kubeconfig, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

async function run(args: readonly string[]): Promise<{ out: string; err: string; status: number }> {
  const child = start(args);
  assert(child.stdout && child.stderr);
  const [out, err, [status]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "exit"),
  ]);
  return { out, err, status: Number(status) };
}

test("install puts in what --dry-run prints, twice the same, also where there are no rules in CEL", async () => {
  const first = await run(["kubernetes", "install", "--image", "understudy:test"]);
  assert.equal(first.status, 0, first.err);
  const second = await run(["kubernetes", "install", "--image", "understudy:test", "-o", "json"]);
  assert.equal(second.status, 0, second.err);
  const printed = await run(["kubernetes", "install", "--image", "understudy:test", "--dry-run"]);
  const documents = parseAllDocuments(printed.out);
  assert(Array.isArray(documents));
  assert.equal(documents.length, JSON.parse(second.out).objects.length);
  for (const document of documents) {
    const object: KubernetesObject = document.toJS();
    const { name, namespace } = object.metadata;
    const place = namespace === undefined ? { name } : { name, namespace };
    assert.ok(await api.get(kindOfObject(object), place), `${object.kind} ${name}`);
  }
});

test("who may not install is told so", async () => {
  const refused = await run(["kubernetes", "install", "--context", OPERATOR, "-o", "json"]);
  assert.equal(refused.status, 4);
  assert.equal(JSON.parse(refused.err).code, "KUBERNETES_FORBIDDEN");
});

test("what manifests prints the API takes as it is, and nobody owns it", async () => {
  await server.makeNamespace("plain");
  const file = join(directory, "plain.yaml");
  await writeFile(file, SAMPLE.replace("namespace: shop", "namespace: plain"));
  const printed = await run(["kubernetes", "manifests", "-f", file, "--older-kubernetes"]);
  assert.equal(printed.status, 0, printed.err);
  const documents = parseAllDocuments(printed.out);
  assert(Array.isArray(documents));
  assert.ok(documents.length > 15);
  for (const document of documents) {
    const object: KubernetesObject = document.toJS();
    assert.equal(object.metadata.ownerReferences, undefined);
    const applied = await api.apply(kindOfObject(object), object, { force: true });
    assert.equal(applied.kind, "changed", object.metadata.name);
  }
  const without = await run(["kubernetes", "manifests", "-f", file, "--only-applied"]);
  assert.doesNotMatch(without.out, /kind: (Secret|Lease|EndpointSlice)\n/);
  await addsMember(file);
});

/** A standby more, where the cluster's authority is given: its certificate alone is issued. */
async function addsMember(file: string): Promise<void> {
  const sample = await readFile(file, "utf8");
  const larger = join(directory, "larger.yaml");
  await writeFile(larger, sample.replace("standbys: 1", "standbys: 2"));
  const secrets = await api.list(kindOf("v1", "Secret"), {
    namespace: "plain",
    labelSelector: "understudy.dev/cluster=izdb",
  });
  const given = join(directory, "secrets.json");
  const items = secrets.items.map((each) => Object.assign({}, each, { kind: "Secret" }));
  await writeFile(given, JSON.stringify({ apiVersion: "v1", kind: "List", items }));
  const printed = await run([
    "kubernetes",
    "manifests",
    "-f",
    larger,
    "--older-kubernetes",
    "--only-applied",
    "--authority",
    given,
  ]);
  assert.equal(printed.status, 0, printed.err);
  const documents = parseAllDocuments(printed.out);
  assert(Array.isArray(documents));
  const objects: KubernetesObject[] = documents.map((document) => document.toJS());
  const issued = objects.filter(({ kind }) => kind === "Secret");
  const member = objects.findLast(({ kind }) => kind === "StatefulSet")?.metadata.name;
  assert.deepEqual(
    issued.map(({ metadata }) => metadata.name),
    [`${member}-tls`],
  );
  for (const object of objects) {
    const applied = await api.apply(kindOfObject(object), object, { force: true });
    assert.equal(applied.kind, "changed", object.metadata.name);
  }
  const secretAt = (name: string) => api.get(kindOf("v1", "Secret"), { namespace: "plain", name });
  const [leaf, authority] = await Promise.all([secretAt(`${member}-tls`), secretAt("izdb-ca")]);
  assert(leaf && authority);
  const issuer = new X509Certificate(textIn(authority, "ca.crt"));
  const certificate = new X509Certificate(textIn(leaf, "tls.crt"));
  assert.ok(certificate.verify(issuer.publicKey));
  assert.equal(certificate.checkHost(String(member)), member);
  const wrong = await run(["kubernetes", "manifests", "-f", larger, "--authority", larger]);
  assert.equal(wrong.status, 2);
  assert.match(wrong.err, /has no Secret izdb-ca of the namespace plain/);
}

test("manifests of a mistake are none, and the mistake is named", async () => {
  const file = join(directory, "wrong.yaml");
  await writeFile(file, SAMPLE.replace("shared_buffers: 256MB", "wal_level: minimal"));
  const refused = await run(["kubernetes", "manifests", "-f", file]);
  assert.equal(refused.out, "");
  assert.match(refused.err, /wal_level/);
  assert.equal(refused.status, 2);
});

test("the operator as a program makes a cluster with its own rights, and ends when it is told to", async () => {
  await run(["kubernetes", "install", "--image", "understudy:test"]);
  await eventually("a definition that is served", () => api.serves(POSTGRES_CLUSTER));
  await server.makeNamespace("shop");
  await using ports = await takePortBlock();
  const child = start([
    "operator",
    "--context",
    OPERATOR,
    "--operator-namespace",
    "understudy",
    "--agent-image",
    "understudy:test",
    "--port",
    String(ports.first),
  ]);
  assert(child.stdout && child.stderr);
  const out = text(child.stdout);
  const err = text(child.stderr);
  const ended = once(child, "exit");
  try {
    const [document] = [parseAllDocuments(SAMPLE)].flat();
    const created = await api.create(POSTGRES_CLUSTER, document?.toJS() as KubernetesObject);
    assert.equal(created.kind, "changed");
    await eventually("its StatefulSets", () =>
      api.get(STATEFUL_SET, { namespace: "shop", name: "izdb-2" }),
    );
    const alive = await fetch(`http://127.0.0.1:${ports.first}/liveness`);
    assert.equal(alive.status, 200);
  } finally {
    child.kill("SIGTERM");
  }
  const [status] = await ended;
  assert.equal(status, 0, await err);
  const lines = (await out).trim().split("\n");
  const events = lines.map((line) => JSON.parse(line).event);
  assert.equal(events[0], "operator-started");
  assert.ok(events.includes("Founding"), events.join());
  assert.equal(events.at(-1), "operator-ended");
});
