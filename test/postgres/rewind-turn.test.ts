// The turn at being rewound on real servers: one session has it at a time, and keeps it for as long
// as it lives and no longer.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Secret } from "../../src/core/secret.ts";
import type { Major } from "../../src/core/spec.ts";
import { RewindTurnLock } from "../../src/postgres/rewind/turn-lock.ts";
import { BareServer } from "../support/bare-server.ts";
import { eventually } from "../support/eventually.ts";
import { installationFor } from "../support/installations.ts";

for (const major of [10, 15] as const)
  test(`PostgreSQL ${major} gives the turn to one at a time, and takes it back when that one is gone`, async () => {
    await using server = await started(major);
    using first = await openLock(server);
    using second = await openLock(server);
    assert.deepEqual([await first.take(), await second.take()], [true, false]);
    await server.row(
      "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted",
    );
    await eventually("the other has it", () => second.take());
    await assert.rejects(first.take(), { code: "CONNECTION_FAILED" });
    await second.confirm(1);
  });

test("a limit of idle sessions does not take it away", async () => {
  await using server = await started(15, { idle_session_timeout: "3s" });
  using turn = await openLock(server);
  assert.equal(await turn.take(), true);
  const idle = await server.client();
  let isEnded = false;
  idle.once("end", () => (isEnded = true));
  await eventually("another session that is idle is ended", () => isEnded);
  await turn.confirm(1);
  using other = await openLock(server);
  assert.equal(await other.take(), false);
});

test("a server on another timeline, or in recovery, is no primary to be rewound to", async () => {
  await using server = await started(15);
  using turn = await openLock(server);
  await assert.rejects(turn.confirm(2), { code: "CONNECTION_FAILED", message: /timeline 2/ });
  await server.stop();
  await assert.rejects(turn.confirm(1), { code: "CONNECTION_FAILED" });
  await server.startInRecovery();
  using later = await openLock(server);
  await assert.rejects(later.confirm(1), { code: "CONNECTION_FAILED", message: /not the primary/ });
});

async function started(major: Major, settings: Record<string, string> = {}): Promise<BareServer> {
  const server = await BareServer.make({ installation: await installationFor(major), settings });
  await server.start();
  return server;
}

function openLock({ port }: BareServer): Promise<RewindTurnLock> {
  const source = { host: "127.0.0.1", port, user: "postgres", password: new Secret("") };
  const signal = new AbortController().signal;
  return RewindTurnLock.open({ ...source, applicationName: "turn" }, signal);
}
