// Which ports a cluster takes, on this machine's real ones.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { describe, it } from "node:test";
import { choosePorts } from "../../src/local/ports.ts";
import { takePortBlock } from "../support/port-block.ts";

describe("choosing ports", () => {
  it("passes over a port in use, and refuses one that was asked for", async () => {
    await using block = await takePortBlock();
    const port = block.first + 1;
    const server = await listenOn(port);
    try {
      const { ports, passedOver } = await choosePorts({ first: null, from: port, count: 1 });
      assert.deepEqual(passedOver, [port]);
      assert.equal(ports[0]?.port, port + 1);
      await assert.rejects(choosePorts({ first: port, count: 1 }), { code: "PORT_TAKEN" });
    } finally {
      server.close();
    }
  });

  it("does not refuse a port that another command only looks at", async () => {
    await using block = await takePortBlock();
    const port = block.first + 1;
    const server = await listenOn(port);
    const choice = choosePorts({ first: port, count: 1 });
    setImmediate(() => server.close());
    assert.equal((await choice).ports[0]?.port, port);
  });
});

async function listenOn(port: number): Promise<Server> {
  const server = createServer().listen({ port, host: "127.0.0.1" });
  await once(server, "listening");
  return server;
}
