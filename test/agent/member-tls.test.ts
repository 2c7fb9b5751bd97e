// A member's certificates as a kubelet keeps them in files, and as it makes them its own.
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { MemberTls } from "../../src/agent/member-tls.ts";
import { eventually } from "../support/eventually.ts";
import { TlsAuthority } from "../support/tls-authority.ts";

const DAY_MS = 86_400_000;

async function places(t: TestContext): Promise<{ told: string; own: string }> {
  const root = await mkdtemp(join(tmpdir(), "understudy-tls-"));
  t.after(() => rm(root, { recursive: true }));
  return { told: join(root, "told"), own: join(root, "own") };
}

test("what PostgreSQL is given is private, and has certificate and key in one file", async (t) => {
  const at = await places(t);
  const authority = new TlsAuthority();
  const server = authority.server("izdb-1");
  await authority.writeTold(at.told, server);
  const tls = await MemberTls.open(at);
  assert.equal(await readFile(tls.files.server, "utf8"), server.certificate + server.key);
  assert.equal(await readFile(tls.files.trusted, "utf8"), authority.certificate);
  for (const path of Object.values(tls.files)) assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.equal(tls.towards("izdb-2").name, "izdb-2");
});

test("a renewed certificate is taken up, and told until it is", async (t) => {
  const at = await places(t);
  const authority = new TlsAuthority();
  await authority.writeTold(at.told, authority.server("izdb-1"));
  const tls = await MemberTls.open(at);
  const before = tls.context;
  let told = 0;
  using _watch = tls.watch({
    // As where the server is just beginning.
    renewed: async () => (told += 1) > 2,
    trouble: (why) => assert.fail(why),
  });
  await eventually("a beginning that is told until it is taken", async () => told === 3);
  const renewed = authority.server("izdb-1");
  await authority.writeTold(at.told, renewed);
  const isTaken = async () => told > 3 && tls.server.cert === renewed.certificate;
  await eventually("a renewal that is told", isTaken);
  assert.notEqual(tls.context, before);
  assert.equal(await readFile(tls.files.server, "utf8"), renewed.certificate + renewed.key);
});

test("a key of another certificate is not taken, and neither is one that is not there", async (t) => {
  const at = await places(t);
  const authority = new TlsAuthority();
  await assert.rejects(MemberTls.open(at), { code: "SPEC_CORRUPT" });
  await authority.writeTold(at.told, authority.server("izdb-1"));
  await writeFile(join(at.told, "server.key"), authority.server("izdb-1").key);
  await assert.rejects(MemberTls.open(at), {
    code: "SPEC_CORRUPT",
    message: /server\.key is not the key of server\.crt$/,
  });
});

test("certificates that were not renewed in time are warned of", async (t) => {
  const at = await places(t);
  const authority = new TlsAuthority();
  await authority.writeTold(at.told, authority.server("izdb-1"));
  const tls = await MemberTls.open(at);
  const inDays = (days: number) => tls.warning(new Date(Date.now() + days * DAY_MS));
  assert.equal(inDays(69), null);
  assert.match(
    inDays(71) ?? "",
    /^its certificates run out on \d{4}-\d\d-\d\d and were not renewed/,
  );
});

test("that who has signed them is not believed any more is warned of, too", async (t) => {
  const at = await places(t);
  const authority = new TlsAuthority();
  const server = authority.outliving({ commonName: "izdb-1", use: "server", names: ["izdb-1"] });
  const client = authority.outliving({ commonName: "any", use: "client", names: [] });
  await authority.writeTold(at.told, server, client);
  const tls = await MemberTls.open(at);
  const end = new X509Certificate(authority.certificate).validToDate.getTime();
  const daysBefore = (days: number) => tls.warning(new Date(end - days * DAY_MS));
  assert.equal(daysBefore(21), null);
  const day = new Date(end).toISOString().slice(0, 10);
  assert.match(daysBefore(19) ?? "", new RegExp(`run out on ${day} `));
});

test("an authority that cannot be read is told of by the name of its file", async (t) => {
  const at = await places(t);
  const authority = new TlsAuthority();
  await authority.writeTold(at.told, authority.server("izdb-1"));
  const damaged = authority.certificate.replace(/^(.{40})/ms, "$1AAAA");
  for (const [text, why] of [
    ["", /ca\.crt has no certificate$/],
    ["no certificate\n", /ca\.crt has no certificate$/],
    [damaged, /ca\.crt has a certificate that is damaged: /],
    [authority.certificate + damaged, /ca\.crt has a certificate that is damaged: /],
  ] as const) {
    await writeFile(join(at.told, "ca.crt"), text);
    await assert.rejects(MemberTls.open(at), { code: "SPEC_CORRUPT", message: why });
  }
});
