// A standby that comes onto the new primary's timeline over the old primary, before its own agent
// has learned whose timeline that is: its WAL is all in the primary's history, and it is not copied
// anew.
import assert from "node:assert/strict";
import { stat } from "node:fs/promises";
import { test } from "node:test";
import { AppWriter } from "../support/app-writer.ts";
import { signal } from "../support/cluster-processes.ts";
import { eventually } from "../support/eventually.ts";
import { TestCluster } from "../support/local-cluster.ts";
import { assertAllRows, writeUrl } from "./cluster-facts.ts";

test("a standby that an old primary carries along follows the new one without a copy", async () => {
  await using cluster = await TestCluster.up(15);
  const { term } = await cluster.untilHealthy();
  const { ino } = await stat(cluster.paths("t-3").data);
  const agent = cluster.agentPid("t-3");
  signal(agent, "SIGSTOP");
  await cluster.ok(["switchover", "--to", "t-2", "--no-wait"]);
  const { timeline } = await cluster.until("t-2 leads", (status) => {
    return status.term > term && status.primary === "t-2";
  });
  await using writer = await AppWriter.start(await writeUrl(cluster));
  await writer.hasWritten(50);
  await eventually(`t-3 receives timeline ${timeline} over t-1`, async () => {
    // The old primary, now a standby, keeps no slot for it by itself.
    await cluster.run(sqlOn("t-1", KEEP_SLOT));
    const received = await cluster.ok(sqlOn("t-3", RECEIVED));
    return received.includes(`"on ${timeline}"`);
  });
  await writer.hasWritten(50);
  signal(agent, "SIGCONT");
  await cluster.untilHealthy();
  const acknowledged = await writer.stop();
  await assertAllRows(cluster, acknowledged);
  assert.equal((await stat(cluster.paths("t-3").data)).ino, ino, "it was copied anew");
});

const KEEP_SLOT = `SELECT pg_create_physical_replication_slot('understudy_t_3')
  WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = 'understudy_t_3')`;
const RECEIVED = "SELECT 'on ' || received_tli AS received FROM pg_stat_wal_receiver";

function sqlOn(member: string, statement: string): string[] {
  return ["sql", "--as-superuser", "--member", member, statement];
}
