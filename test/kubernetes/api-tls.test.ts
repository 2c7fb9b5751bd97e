import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { accessInPod, type ApiAccess } from "../../src/kubernetes-api/access.ts";
import { KubernetesApi } from "../../src/kubernetes-api/api.ts";
import { LEASE } from "../../src/kubernetes-api/kinds.ts";
import { makeAuthority } from "../support/certificate.ts";
import { answer, ScriptedServer } from "./scripted-server.ts";

const PLACE = { namespace: "shop", name: "izdb" };
const OBJECT = {
  apiVersion: LEASE.apiVersion,
  kind: LEASE.kind,
  metadata: { ...PLACE, resourceVersion: "7" },
};

/** A pod's files, with this authority in them. */
async function pod(t: TestContext, of: { authority: string; port: number }): Promise<ApiAccess> {
  const directory = await mkdtemp(join(tmpdir(), "understudy-pod-"));
  t.after(() => rm(directory, { recursive: true }));
  await writeFile(join(directory, "ca.crt"), of.authority);
  await writeFile(join(directory, "token"), "secret-token");
  const env = {
    KUBERNETES_SERVICE_HOST: "127.0.0.1",
    KUBERNETES_SERVICE_PORT: String(of.port),
  };
  return accessInPod({ env, directory });
}

test("a pod reaches the API server that its cluster's authority vouches for", async (t) => {
  const authority = makeAuthority("cluster");
  const certificate = authority.issue(["127.0.0.1"]);
  await using server = await ScriptedServer.startTls(certificate, answer(200, OBJECT));
  const access = await pod(t, { authority: authority.chain, port: server.port });
  using api = new KubernetesApi({ access });
  assert.deepEqual(await api.get(LEASE, PLACE), OBJECT);
  assert.equal(server.received[0]?.headers["authorization"], "Bearer secret-token");
});

test("another authority, and a certificate for another address, are not trusted, and get no token", async (t) => {
  const authority = makeAuthority("cluster");
  const impostor = makeAuthority("cluster");
  for (const certificate of [impostor.issue(["127.0.0.1"]), authority.issue(["10.0.0.1"])]) {
    await using server = await ScriptedServer.startTls(certificate, answer(200, OBJECT));
    const access = await pod(t, { authority: authority.chain, port: server.port });
    using api = new KubernetesApi({ access });
    await assert.rejects(api.get(LEASE, PLACE), { code: "KUBERNETES_UNAVAILABLE" });
    assert.deepEqual(server.received, []);
  }
});

test("while an authority is being replaced both are trusted", async (t) => {
  const [old, renewed] = [makeAuthority("old"), makeAuthority("new")];
  const certificate = renewed.issue(["127.0.0.1"]);
  await using server = await ScriptedServer.startTls(certificate, answer(200, OBJECT));
  const both = await pod(t, { authority: old.chain + renewed.chain, port: server.port });
  using api = new KubernetesApi({ access: both });
  assert.deepEqual(await api.get(LEASE, PLACE), OBJECT);
});
