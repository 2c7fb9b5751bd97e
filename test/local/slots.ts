// The slots that members keep for each other. For slots-*.test.ts.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Major } from "../../src/core/spec.ts";
import { withClient } from "../support/app-writer.ts";
import { signal } from "../support/cluster-processes.ts";
import { eventually } from "../support/eventually.ts";
import { TestCluster, memberOf } from "../support/local-cluster.ts";
import { memberUrl } from "./cluster-facts.ts";
import { eventsOf } from "./diverged-primary.ts";
import { asSuperuser, superuserUrl, writeSegments } from "./server-facts.ts";

/** More than a member keeps without a slot: eight segments. */
const SEGMENTS = 12;

export function describeSlots(major: Major): void {
  describe(`PostgreSQL ${major}, the slots that members keep for each other`, () => {
    let cluster: TestCluster;
    before(async () => {
      cluster = await TestCluster.up(major);
    });
    after(() => cluster[Symbol.asyncDispose]());

    it("follow their members on every standby, so that they hold little", () =>
      slotsFollow(cluster));
    it("hold what an absent standby needs, which streams on from a new primary without a copy", () =>
      streamsOn(cluster));
    // Before, the agent gives it up: by the size of the disk, see core/protocol/slots.test.ts.
    if (major >= 13)
      it("are given up for a member that stands still, which comes back by itself", () =>
        isGivenUp(cluster));
    it("are looked after though something else fails each time", () => areLookedAfter(cluster));
    it("go with a member that is removed, and slots of users stay", () => goWithMember(cluster));
  });
}

async function slotsFollow(cluster: TestCluster): Promise<void> {
  const { primary } = await cluster.untilHealthy();
  assert.ok(primary !== null);
  await writeSegments(cluster, { on: primary, count: SEGMENTS });
  const position = await asSuperuser(cluster, primary, "SELECT pg_current_wal_lsn()");
  // Where slots cannot be advanced they are made anew at the newest restart point.
  await asSuperuser(cluster, primary, "CHECKPOINT");
  for (const name of ["t-1", "t-2", "t-3"].filter((each) => each !== primary))
    await eventually(`the slots on ${name} have followed`, async () => {
      await asSuperuser(cluster, name, "CHECKPOINT");
      const held = `SELECT bool_and(pg_wal_lsn_diff('${position}', restart_lsn) < 3 * 16777216)
                      AND count(*) = 2 FROM pg_replication_slots`;
      return (await asSuperuser(cluster, name, held)) === true;
    });
}

async function streamsOn(cluster: TestCluster): Promise<void> {
  const { primary, term } = await cluster.untilHealthy();
  assert.ok(primary !== null);
  const [absent, next] = ["t-3", "t-2", "t-1"].filter((each) => each !== primary);
  assert.ok(absent !== undefined && next !== undefined);
  await cluster.killMember(absent);
  await writeSegments(cluster, { on: primary, count: SEGMENTS });
  for (const name of [primary, next]) await asSuperuser(cluster, name, "CHECKPOINT");
  const earlier = (await eventsOf(cluster, absent)).length;
  await cluster.killMember(primary);
  await cluster.until("a standby leads", (status) => {
    return status.term > term && status.primary === next;
  });
  await cluster.ok(["up"]);
  await cluster.untilHealthy();
  const events = (await eventsOf(cluster, absent)).slice(earlier);
  assert.ok(!events.includes("cloned") && !events.includes("data-set-aside"), events.join());
}

async function isGivenUp(cluster: TestCluster): Promise<void> {
  const { primary } = await cluster.untilHealthy();
  assert.ok(primary !== null);
  await cluster.ok(["param", "set", "max_slot_wal_keep_size=64MB"]);
  const absent = primary === "t-3" ? "t-2" : "t-3";
  const processes = [
    ...cluster.deadmanPids(absent),
    cluster.agentPid(absent),
    ...cluster.serverPids(absent),
  ];
  for (const pid of processes) signal(pid, "SIGSTOP");
  await eventually("its slot is given up, and that is told", async () => {
    await writeSegments(cluster, { on: primary, count: SEGMENTS });
    await asSuperuser(cluster, primary, "CHECKPOINT");
    return (await eventsOf(cluster, primary)).includes("slot-given-up");
  });
  for (const pid of processes) signal(pid, "SIGCONT");
  // Another standby may still have the WAL: then it is served by that one, else copied anew.
  await eventually("it has found a way back", async () => {
    const events = await eventsOf(cluster, absent);
    return events.includes("wal-fetched-elsewhere") || events.includes("wal-gone");
  });
  await cluster.until("it streams from the primary", (status) => {
    const { state, upstream } = memberOf(status, absent);
    return status.state === "healthy" && state === "streaming" && upstream === primary;
  });
  await cluster.ok(["param", "set", "--reset", "max_slot_wal_keep_size"]);
}

async function areLookedAfter(cluster: TestCluster): Promise<void> {
  const { primary } = await cluster.untilHealthy();
  assert.ok(primary !== null);
  await withClient(await superuserUrl(cluster, primary), async (holder) => {
    // It cannot be made anew while somebody is connected to what it is copied from.
    await holder.query("DROP DATABASE app");
    await holder.query("SELECT pg_create_physical_replication_slot('understudy_nobody', true)");
    await eventually("a slot that is nobody's goes", async () => {
      const ours = "SELECT 1 FROM pg_replication_slots WHERE slot_name = 'understudy_nobody'";
      return (await holder.query(ours)).rows.length === 0;
    });
    const app = await holder.query("SELECT 1 FROM pg_database WHERE datname = 'app'");
    assert.equal(app.rows.length, 0, "the database could be made");
  });
  const url = await memberUrl(cluster, primary);
  await eventually("the applications' database is there", () =>
    withClient(url, async (client) => (await client.query("SELECT 1")).rows.length === 1).catch(
      () => false,
    ),
  );
}

async function goWithMember(cluster: TestCluster): Promise<void> {
  const { primary } = await cluster.untilHealthy();
  assert.ok(primary !== null);
  const [removed, other] = ["t-3", "t-2", "t-1"].filter((each) => each !== primary);
  assert.ok(removed !== undefined && other !== undefined);
  const left = [primary, other];
  for (const name of left)
    await asSuperuser(cluster, name, "SELECT pg_create_physical_replication_slot('mine', true)");
  await cluster.ok(["standby", "remove", removed, "--yes"]);
  for (const name of left)
    await eventually(`the slots on ${name} are those of the members, and the user's`, async () => {
      const names = await asSuperuser(
        cluster,
        name,
        "SELECT string_agg(slot_name, ' ' ORDER BY slot_name) FROM pg_replication_slots",
      );
      const another = name === primary ? other : primary;
      return names === `mine understudy_${another.replace("-", "_")}`;
    });
  for (const name of left)
    await asSuperuser(cluster, name, "SELECT pg_drop_replication_slot('mine')");
}
