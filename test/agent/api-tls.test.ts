// The agents' HTTP API where members live on hosts of their own: by TLS, known by name.
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { connect, type SecureContext } from "node:tls";
import { serveApi, type AgentRequests } from "../../src/agent/api.ts";
import { systemClock } from "../../src/agent/clock.ts";
import { askStatus, postToAgent } from "../../src/agent/peer.ts";
import { AgentPresence } from "../../src/agent/presence.ts";
import type { MemberStatus } from "../../src/core/member-status.ts";
import { Secret } from "../../src/core/secret.ts";
import type { Signer } from "../../src/kubernetes/certificates/authority.ts";
import { eventually } from "../support/eventually.ts";
import { takePortBlock } from "../support/port-block.ts";
import { TlsAuthority } from "../support/tls-authority.ts";

const HOST = "127.0.0.1";
const TOKEN = new Secret("the token");
const MEMBER = "izdb-1";

async function agent(certificate: Signer) {
  const opened = new AsyncDisposableStack();
  const ports = opened.use(await takePortBlock());
  const apiPort = ports.first + 1;
  const asked: string[] = [];
  const told = (what: string) => async () => void asked.push(what);
  const requests: AgentRequests = {
    status: async () => {
      asked.push("status");
      return { name: MEMBER } as MemberStatus;
    },
    role: () => "standby",
    isAlive: () => true,
    takesReads: () => true,
    switchover: told("switchover"),
    restart: told("restart"),
    reload: told("reload"),
    reclone: told("reclone"),
    awaitReplay: told("await-replay"),
    saveWal: async () => assert.fail("nobody asks for it"),
    readEvents: async () => ({ events: [] }),
    noteDecision: told("note-decision"),
    confirm: told("confirm"),
    shutDown: told("shut-down"),
  };
  const api = await serveApi({
    host: HOST,
    port: apiPort,
    token: TOKEN,
    requests,
    certificate: { cert: certificate.certificate, key: certificate.key },
  });
  opened.use(api);
  return { api, apiPort, asked, [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose]() };
}

function reload(apiPort: number, of: { tlsName?: string; trust: SecureContext | null }) {
  const { tlsName, trust } = of;
  const options = { path: "/reload", body: {}, token: TOKEN, trust, timeoutMs: 5_000 };
  return postToAgent({ host: HOST, apiPort, tlsName }, options);
}

test("an agent is asked over TLS, under the name of its member, with the cluster's token", async () => {
  const authority = new TlsAuthority();
  await using served = await agent(authority.server(MEMBER));
  const { apiPort, asked } = served;
  const trust = authority.context();
  await reload(apiPort, { tlsName: MEMBER, trust });
  await askStatus({ host: HOST, apiPort, tlsName: MEMBER }, { trust, timeoutMs: 5_000 });
  assert.deepEqual(asked, ["reload", "status"]);
});

test("another member, another authority, one that has run out, and one without TLS get no token, and give no answer", async () => {
  const authority = new TlsAuthority();
  const trust = authority.context();
  const others: [Signer, string][] = [
    [authority.server("izdb-2"), MEMBER],
    [new TlsAuthority().server(MEMBER), MEMBER],
    [authority.expired(MEMBER), MEMBER],
  ];
  for (const [certificate, tlsName] of others) {
    await using served = await agent(certificate);
    await assert.rejects(reload(served.apiPort, { tlsName, trust }), {
      code: "MEMBER_UNREACHABLE",
    });
    assert.deepEqual(served.asked, []);
  }
  await using served = await agent(authority.server(MEMBER));
  for (const asking of [{ trust }, { tlsName: MEMBER, trust: null }])
    await assert.rejects(reload(served.apiPort, asking), { code: "MEMBER_UNREACHABLE" });
  assert.deepEqual(served.asked, []);
});

test("a renewed certificate is shown to who comes next, and a connection that is open goes on", async () => {
  const authority = new TlsAuthority();
  await using served = await agent(authority.server(MEMBER));
  const { api, apiPort } = served;
  const trust = authority.context();
  let losses = 0;
  using presence = new AgentPresence({
    clock: systemClock,
    token: TOKEN,
    trust: () => trust,
    onLost: () => (losses += 1),
  });
  presence.follow({ name: MEMBER, address: { host: HOST, apiPort, tlsName: MEMBER } });
  await eventually("a presence that is met", async () => presence.wasMet);
  const first = await shown(apiPort, trust);
  const renewed = authority.server(MEMBER);
  api.renew({ cert: renewed.certificate, key: renewed.key });
  assert.notEqual(await shown(apiPort, trust), first);
  assert.deepEqual([losses, presence.lostSinceMs], [0, null]);
});

/** The serial number of the certificate that it shows. */
async function shown(port: number, secureContext: SecureContext): Promise<string | undefined> {
  const socket = connect({ host: HOST, port, servername: MEMBER, secureContext });
  await once(socket, "secureConnect", { signal: AbortSignal.timeout(30_000) });
  const certificate = socket.getPeerX509Certificate();
  socket.destroy();
  return certificate?.serialNumber;
}
