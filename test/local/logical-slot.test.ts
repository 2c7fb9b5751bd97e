// A logical slot made with failover = true goes on after a failover (17 and newer).
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { eventually } from "../support/eventually.ts";
import { TestCluster } from "../support/local-cluster.ts";
import { asSuperuser } from "./server-facts.ts";

const CHANGES = `SELECT count(*)::int FROM pg_logical_slot_get_binary_changes(
  'orders', NULL, NULL, 'proto_version', '1', 'publication_names', 'all_tables')`;

describe("PostgreSQL 18, a logical slot with failover", () => {
  let cluster: TestCluster;
  before(async () => {
    cluster = await TestCluster.up(18, { standbys: 1 });
    await cluster.ok(["param", "set", "wal_level=logical"]);
    await cluster.ok(["restart"]);
    await cluster.untilHealthy();
  });
  after(() => cluster[Symbol.asyncDispose]());

  it("is carried over, goes on on the new primary, and comes back to the former one", async () => {
    const { primary, term } = await cluster.untilHealthy();
    assert.ok(primary !== null);
    for (const sql of [
      "CREATE TABLE public.orders (n int)",
      "CREATE PUBLICATION all_tables FOR ALL TABLES",
      "SELECT pg_create_logical_replication_slot('orders', 'pgoutput', false, false, true)",
    ])
      await asSuperuser(cluster, primary, sql);
    await isCarriedOver(cluster, { primary, name: primary === "t-1" ? "t-2" : "t-1" });
    await asSuperuser(cluster, primary, "INSERT INTO public.orders VALUES (2)");
    await cluster.killMember(primary);
    const later = await cluster.until("another leads", (status) => {
      return status.term > term && status.primary !== null;
    });
    const next = later.primary ?? "";
    // What was not taken before the failover is still there, and goes on.
    await eventually("the row comes", async () => {
      return Number(await asSuperuser(cluster, next, CHANGES)) >= 3;
    });
    await cluster.ok(["up"]);
    await cluster.untilHealthy();
    await isCarriedOver(cluster, { primary: next, name: primary });
  });
});

/** A standby keeps a copy only once the slot's subscriber has moved on. */
async function isCarriedOver(
  cluster: TestCluster,
  of: { primary: string; name: string },
): Promise<void> {
  const kept = `SELECT count(*)::int FROM pg_replication_slots
    WHERE slot_name = 'orders' AND synced AND NOT temporary AND invalidation_reason IS NULL`;
  await eventually(`${of.name} has the slot`, async () => {
    await asSuperuser(cluster, of.primary, "INSERT INTO public.orders VALUES (1)");
    await asSuperuser(cluster, of.primary, CHANGES);
    await asSuperuser(cluster, of.primary, "SELECT pg_log_standby_snapshot()");
    return (await asSuperuser(cluster, of.name, kept)) === 1;
  });
}
