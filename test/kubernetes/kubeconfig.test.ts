import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { readKubeconfig } from "../../src/cli/kubernetes/kubeconfig.ts";

const directory = await mkdtemp(join(await realpath(tmpdir()), "understudy-kubeconfig-"));
after(() => rm(directory, { recursive: true, force: true }));
let files = 0;

async function written(text: string): Promise<string> {
  files += 1;
  const path = join(directory, `config-${files}`);
  await writeFile(path, text);
  return path;
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}

function config(parts: { user?: string; cluster?: string; context?: string } = {}): string {
  const { user = "token: t-1", cluster = "", context = "" } = parts;
  return `
apiVersion: v1
kind: Config
current-context: test
contexts:
- name: test
  context: {cluster: c, user: u${context}}
- name: other
  context: {cluster: c, user: u, namespace: elsewhere}
clusters:
- name: c
  cluster:
    server: https://kubernetes.example:6443
    ${cluster}
users:
- name: u
  user:
    ${user}
`;
}

async function credentialsOf(text: string) {
  const { access } = await readKubeconfig({ env: { KUBECONFIG: await written(text) } });
  return access.credentials({ renew: false });
}

test("the current context, or the one that is named, says the server and the namespace", async () => {
  const env = { KUBECONFIG: await written(config()) };
  const current = await readKubeconfig({ env });
  assert.equal(current.access.server.href, "https://kubernetes.example:6443/");
  assert.equal(current.namespace, "default");
  assert.equal((await readKubeconfig({ env, context: "other" })).namespace, "elsewhere");
});

test("tokens and certificates are read, from the text or from files beside it", async () => {
  assert.equal((await credentialsOf(config())).token?.reveal(), "t-1");
  await writeFile(join(directory, "ca.crt"), "CA");
  await writeFile(join(directory, "token"), "t-2\n");
  const user = [
    `client-certificate-data: ${base64("CERT")}`,
    `client-key-data: ${base64("KEY")}`,
    "tokenFile: token",
  ].join("\n    ");
  const found = await credentialsOf(config({ user, cluster: "certificate-authority: ca.crt" }));
  assert.equal(found.authority, "CA");
  assert.equal(found.token?.reveal(), "t-2");
  assert.equal(found.certificate?.chain, "CERT");
  assert.equal(found.certificate?.key.reveal(), "KEY");
});

test("a program that the kubeconfig names gives a token, and is asked again when that is refused", async () => {
  const program = join(directory, "give-token");
  const count = join(directory, "count");
  await writeFile(
    program,
    `#!/bin/sh\necho x >> ${count}\nprintf '{"kind":"ExecCredential","status":{"token":"%s-%s-%s"}}' "$1" "$WHO" "$(wc -l < ${count} | tr -d ' ')"\n`,
  );
  await chmod(program, 0o755);
  const exec =
    "exec: {apiVersion: client.authentication.k8s.io/v1, command: ./give-token, args: [a], env: [{name: WHO, value: me}]}";
  const path = await written(config({ user: exec }));
  const env = { KUBECONFIG: path, PATH: process.env["PATH"] };
  const { access } = await readKubeconfig({ env });
  const token = async (renew: boolean) => (await access.credentials({ renew })).token?.reveal();
  assert.equal(await token(false), "a-me-1");
  assert.equal(await token(false), "a-me-1");
  assert.equal(await token(true), "a-me-2");
});

test("of several files the first that names a thing has the say", async () => {
  const first = await written("current-context: other\n");
  const second = await written(config());
  const { context } = await readKubeconfig({ env: { KUBECONFIG: `${first}:${second}` } });
  assert.equal(context, "other");
});

test("~/.kube/config is found where nothing is said", async () => {
  await mkdir(join(directory, ".kube"), { recursive: true });
  await writeFile(join(directory, ".kube", "config"), config());
  assert.equal((await readKubeconfig({ env: { HOME: directory } })).context, "test");
});

test("what is missing is told by its name, with what there is", async () => {
  const env = { KUBECONFIG: await written(config()) };
  await assert.rejects(readKubeconfig({ env, context: "nowhere" }), (thrown: Error) => {
    assert.match(thrown.message, /no context "nowhere"/);
    assert.match(Object(thrown).hint, /test, other/);
    return Object(thrown).code === "KUBECONFIG_NOT_FOUND";
  });
  await assert.rejects(readKubeconfig({ env: { KUBECONFIG: join(directory, "none") } }), {
    code: "KUBECONFIG_NOT_FOUND",
  });
});

test("what this client does not do is refused, and no secret is repeated", async () => {
  for (const [parts, what] of [
    [{ cluster: "insecure-skip-tls-verify: true" }, /not to check the server/],
    [{ cluster: "proxy-url: http://proxy" }, /proxy-url/],
    [{ user: "username: me" }, /no passwords/],
    [{ user: "auth-provider: {name: gcp}" }, /auth-provider/],
    [{ user: "exec: {command: x}" }, /no apiVersion/],
    [{ user: `client-certificate-data: ${base64("CERT")}` }, /without a key/],
    [
      { user: "exec: {apiVersion: client.authentication.k8s.io/v1, command: ./not-there}" },
      /gave no credentials/,
    ],
  ] as const)
    await assert.rejects(credentialsOf(config(parts)), (thrown: Error) => {
      assert.match(thrown.message, what);
      return Object(thrown).code === "KUBECONFIG_INVALID";
    });
  await assert.rejects(credentialsOf("users: [\n token: very-secret"), (thrown: Error) => {
    assert.doesNotMatch(`${thrown.message} ${Object(thrown).hint}`, /very-secret/);
    return Object(thrown).code === "KUBECONFIG_INVALID";
  });
});
