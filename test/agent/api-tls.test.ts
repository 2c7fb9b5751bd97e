// The agents' HTTP API where members live on hosts of their own: by TLS, known by name.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectSilently, createServer } from "node:net";
import { test } from "node:test";
import { connect, type SecureContext } from "node:tls";
import { serveApi, type AgentRequests } from "../../src/agent/api.ts";
import { systemClock } from "../../src/agent/clock.ts";
import { askStatus, postToAgent, type Trust } from "../../src/agent/peer.ts";
import { AgentPresence } from "../../src/agent/presence.ts";
import { AGENTS } from "../../src/cli/kubernetes/operate.ts";
import type { MemberReach, MemberStatus } from "../../src/core/member-status.ts";
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
    reach: async () => ({ name: MEMBER }) as MemberReach,
    role: () => "standby",
    isAlive: () => true,
    takesReads: () => true,
    switchover: told("switchover"),
    restart: told("restart"),
    reload: told("reload"),
    reclone: told("reclone"),
    awaitReplay: told("await-replay"),
    saveWal: async () => assert.fail("nobody asks for it"),
    tellWal: async () => assert.fail("nobody asks for it"),
    readWal: async () => assert.fail("nobody asks for it"),
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

function reload(apiPort: number, trust: Trust | null) {
  const options = { path: "/reload", body: {}, token: TOKEN, trust, timeoutMs: 5_000 };
  return postToAgent({ host: HOST, apiPort }, options);
}

/** Takes whatever comes, without TLS, and answers as an agent would. */
async function impostor() {
  const opened = new AsyncDisposableStack();
  const ports = opened.use(await takePortBlock());
  const apiPort = ports.first + 1;
  let heard = "";
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      heard += chunk.toString("latin1");
      socket.end("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{}");
    });
  });
  server.listen(apiPort, HOST);
  await once(server, "listening");
  opened.defer(() => void server.close());
  return {
    apiPort,
    heard: () => heard,
    [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
  };
}

test("an agent is asked over TLS, under the name of its member, with the cluster's token", async () => {
  const authority = new TlsAuthority();
  await using served = await agent(authority.server(MEMBER));
  const { apiPort, asked } = served;
  const trust = { by: authority.context(), member: MEMBER };
  await reload(apiPort, trust);
  await askStatus({ host: HOST, apiPort }, { trust, timeoutMs: 5_000 });
  assert.deepEqual(asked, ["reload", "status"]);
});

test("another member, another authority, one that has run out, and whoever asks without TLS get no answer", async () => {
  const authority = new TlsAuthority();
  const trust = { by: authority.context(), member: MEMBER };
  const others: Signer[] = [
    authority.server("izdb-2"),
    new TlsAuthority().server(MEMBER),
    authority.expired(MEMBER),
  ];
  for (const certificate of others) {
    await using served = await agent(certificate);
    await assert.rejects(reload(served.apiPort, trust), {
      code: "MEMBER_UNREACHABLE",
    });
    assert.deepEqual(served.asked, []);
  }
  await using served = await agent(authority.server(MEMBER));
  await assert.rejects(reload(served.apiPort, null), { code: "MEMBER_UNREACHABLE" });
  assert.deepEqual(served.asked, []);
});

test("who answers without TLS where the record says that a member is hears no token", async () => {
  const authority = new TlsAuthority();
  await using other = await impostor();
  const { apiPort } = other;
  const trust = { by: authority.context(), member: MEMBER };
  // As a thief of an agent's right to the record would write it.
  const place = { host: HOST, port: 5432, apiPort, tags: {} };
  const { signal } = new AbortController();
  const asking = { member: MEMBER, timeoutMs: 5_000, signal };
  const order = { ...asking, path: "/restart", body: {}, token: TOKEN } as const;
  const attempts = [
    () => reload(apiPort, trust),
    () => askStatus(place, { trust, timeoutMs: 5_000 }),
    () => AGENTS.status(place, { ...asking, trusted: authority.certificate }),
    () => AGENTS.ask(place, { ...order, trusted: authority.certificate }),
    // Nobody is known who vouches for it.
    () => AGENTS.ask(place, { ...order, trusted: null }),
  ];
  for (const attempt of attempts)
    await assert.rejects(attempt(), { code: "MEMBER_UNREACHABLE" }, String(attempt));
  let losses = 0;
  const onLost = () => (losses += 1);
  using presence = new AgentPresence({
    clock: systemClock,
    token: TOKEN,
    trust: (member) => ({ ...trust, member }),
    onLost,
  });
  presence.follow({ name: MEMBER, address: place });
  await eventually("a presence that is lost", async () => losses > 0);
  assert.equal(presence.wasMet, false);
  assert.notEqual(other.heard(), "");
  assert.doesNotMatch(other.heard(), /the token|HTTP/);
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
    trust: (member) => ({ by: trust, member }),
    onLost: () => (losses += 1),
  });
  presence.follow({ name: MEMBER, address: { host: HOST, apiPort } });
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

test("whoever connects and says nothing does not keep an agent from its end", async () => {
  const authority = new TlsAuthority();
  await using served = await agent(authority.server(MEMBER));
  const silent = connectSilently({ host: HOST, port: served.apiPort });
  silent.on("error", () => {});
  await once(silent, "connect");
  // Accepted in this order: once it is answered the silent one is known.
  await reload(served.apiPort, { by: authority.context(), member: MEMBER });
  let hasEnded = false;
  void served.api[Symbol.asyncDispose]().then(() => (hasEnded = true));
  await eventually("it has ended", () => hasEnded, { limitMs: 60_000 });
  await eventually("the connection is closed", () => silent.destroyed);
});
