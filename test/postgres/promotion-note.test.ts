// A server that was asked to become the primary may do so at any moment, whoever looks at it: with
// real servers, as the request goes to their processes.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Major } from "../../src/core/spec.ts";
import { PostgresServer } from "../../src/postgres/server.ts";
import { BareServer } from "../support/bare-server.ts";
import { eventually } from "../support/eventually.ts";
import { installationFor } from "../support/installations.ts";

/** As another agent finds it. */
function foundBy({ installation, dataDir }: BareServer): PostgresServer {
  return new PostgresServer({
    installation,
    dataDir,
    configFile: `${dataDir}/postgresql.conf`,
    logDir: dataDir,
    onExit: () => {},
  });
}

for (const major of [10, 15] satisfies Major[])
  describe(`a request for promotion on ${major}`, () => {
    it("is known of the server that got it, by every agent, and of no later one", async () => {
      await using server = await BareServer.make({ installation: await installationFor(major) });
      await server.startInRecovery();
      const agent = foundBy(server);
      assert.equal(await agent.wasAskedToPromote(), false);

      // The lease is lost between the note and the request: none is made.
      await agent.requestPromotion(() => false);
      assert.equal(await agent.wasAskedToPromote(), true);
      assert.equal(await foundBy(server).wasAskedToPromote(), true);
      assert.equal(await server.value("SELECT pg_is_in_recovery()"), true);

      await server.stop();
      assert.equal(await agent.wasAskedToPromote(), false);
      await server.startInRecovery();
      assert.equal(await agent.wasAskedToPromote(), false);
      assert.equal(await foundBy(server).wasAskedToPromote(), false);

      await agent.requestPromotion(() => true);
      assert.equal(await foundBy(server).wasAskedToPromote(), true);
      await eventually(
        "it becomes the primary",
        async () => (await server.value("SELECT pg_is_in_recovery()")) === false,
      );
    });
  });
