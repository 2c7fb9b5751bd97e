// Many promotions of one server: its histories are pruned under it, and it goes on, crashes, comes
// back and is followed.
import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { Secret } from "../../src/core/secret.ts";
import { pruneTimelineHistories } from "../../src/postgres/timeline-histories.ts";
import { fetchUpstreamHistory, hasTimelineHistory } from "../../src/postgres/upstream-history.ts";
import { findWalEnd } from "../../src/postgres/wal-end.ts";
import { BareServer } from "../support/bare-server.ts";
import { eventually } from "../support/eventually.ts";
import { installationFor, testMajors } from "../support/installations.ts";

const PROMOTIONS = 6;

for (const major of testMajors())
  test(`PostgreSQL ${major}: pruned histories are missed by nobody who is not too far behind`, async () => {
    const installation = await installationFor(major);
    await using server = await BareServer.make({ installation });
    for (let promotion = 1; promotion <= PROMOTIONS; promotion += 1) {
      await server.startInRecovery();
      await server.promote();
      await server.row("CREATE TABLE IF NOT EXISTS public.t (n int)");
      if (promotion < PROMOTIONS) await server.stop();
    }
    const timeline = PROMOTIONS + 1;
    assert.equal(await pruneTimelineHistories(server.dataDir, 3), PROMOTIONS - 3);
    assert.deepEqual(await historiesOf(server), ["00000005", "00000006", "00000007"]);
    assert.equal(await pruneTimelineHistories(server.dataDir, 3), 0);

    await server.row("INSERT INTO public.t VALUES (1)");
    const { history } = await fetchUpstreamHistory(loginTo(server));
    assert.deepEqual([history.timeline, history.ancestors.length], [timeline, PROMOTIONS]);
    assert.equal(await hasTimelineHistory(loginTo(server), 5), true);
    assert.equal(await hasTimelineHistory(loginTo(server), 4), false);

    await server.kill();
    assert.equal((await findWalEnd(server.dataDir)).timeline, timeline);
    await using standby = await BareServer.copyOf(server);
    await server.start();
    await standby.startInRecovery();
    assert.equal(await standby.value("SELECT count(*)::int FROM public.t"), 1);
    await standby.promote();
    assert.deepEqual((await historiesOf(standby)).slice(-2), ["00000007", "00000008"]);
    await eventually("the other one still writes", () =>
      server.row("INSERT INTO public.t VALUES (2)"),
    );
  });

test("what waits to be archived is not pruned", async () => {
  await using server = await BareServer.make({
    installation: await installationFor(15),
    settings: { archive_mode: "on", archive_command: "false" },
  });
  for (let promotion = 1; promotion <= 3; promotion += 1) {
    await server.startInRecovery();
    await server.promote();
    await server.stop();
  }
  assert.equal(await pruneTimelineHistories(server.dataDir, 1), 0);
  assert.deepEqual(await historiesOf(server), ["00000002", "00000003", "00000004"]);
});

async function historiesOf(server: BareServer): Promise<string[]> {
  const names = await readdir(join(server.dataDir, "pg_wal"));
  return names.flatMap((name) => /^(\w+)\.history$/.exec(name)?.[1] ?? []).toSorted();
}

function loginTo(server: BareServer): Parameters<typeof fetchUpstreamHistory>[0] {
  return {
    host: "127.0.0.1",
    port: server.port,
    user: "postgres",
    password: new Secret(""),
    applicationName: "test",
  };
}
