// What probes and other members are told by an agent that waits to enter its cluster.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { once } from "node:events";
import { test } from "node:test";
import { Pulse } from "../../src/agent/pulse.ts";
import { askStatus } from "../../src/agent/peer.ts";
import { serveWaiting } from "../../src/agent/waiting-api.ts";
import { takePortBlock } from "../support/port-block.ts";

async function waiting(port: number) {
  let nowMs = 0;
  const troubles: string[] = [];
  const served = await serveWaiting({
    member: "izdb-1",
    host: "127.0.0.1",
    port,
    certificate: null,
    pulse: new Pulse({ nowMs: () => nowMs }),
    why: () => "the store is away",
    onTrouble: (why) => troubles.push(why),
  });
  const pass = (ms: number) => void (nowMs += ms);
  return { pass, troubles, [Symbol.asyncDispose]: () => served[Symbol.asyncDispose]() };
}

const statusOf = async (port: number, path: string) =>
  (await fetch(`http://127.0.0.1:${port}${path}`)).status;

test("an agent that waits is alive as long as it looks, and neither ready nor anything else", async () => {
  await using ports = await takePortBlock();
  {
    await using subject = await waiting(ports.first);
    assert.equal(await statusOf(ports.first, "/liveness"), 200);
    assert.equal(await statusOf(ports.first, "/health"), 503);
    const agent = { host: "127.0.0.1", apiPort: ports.first };
    await assert.rejects(askStatus(agent, { trust: null, timeoutMs: 30_000 }), {
      code: "MEMBER_UNREACHABLE",
      message: "the agent of izdb-1 waits to enter its cluster: the store is away",
    });
    subject.pass(60_000);
    assert.equal(await statusOf(ports.first, "/liveness"), 503);
  }
  // Its own API is served there next.
  const next = createServer();
  next.listen(ports.first, "127.0.0.1");
  await once(next, "listening");
  next.close();
});

test("where the port is taken it says so and waits all the same", async () => {
  await using ports = await takePortBlock();
  await using _first = await waiting(ports.first);
  await using second = await waiting(ports.first);
  assert.match(second.troubles.join(), /^cannot tell probes that izdb-1 is alive: .*EADDRINUSE/);
});
