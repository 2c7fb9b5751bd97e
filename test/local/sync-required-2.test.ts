// Each commit on both of two standbys: with one of them gone it waits, or goes on with the other
// where that was wished.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { AppWriter, connectAsLibpq } from "../support/app-writer.ts";
import { TestCluster } from "../support/local-cluster.ts";
import { assertAllRows, memberUrl, writeUrl } from "./cluster-facts.ts";
import { eventsOf } from "./journal-facts.ts";
import { insertOne, isSeenToWait, untilPromised } from "./sync-mode.ts";

describe("synchronous replication to two standbys of two", () => {
  let cluster: TestCluster;
  before(async () => {
    cluster = await TestCluster.up(15);
    await using writer = await AppWriter.start(await writeUrl(cluster));
    await cluster.ok(["config", "set", "sync=on", "required=2"]);
    await untilPromised(cluster, 2);
    await writer.hasWritten(20);
  });
  after(() => cluster[Symbol.asyncDispose]());

  it("waits for the one that is gone, and goes on when that is back", async () => {
    await cluster.killMember("t-3");
    const session = await connectAsLibpq(await memberUrl(cluster, "t-1"));
    const waiting = insertOne(session, -1);
    await isSeenToWait(cluster);
    const status = await cluster.until("status tells that writes wait", ({ warnings }) => {
      return warnings.some((text) => text.startsWith("writes wait: "));
    });
    assert.deepEqual(status.sync.guarantee, { required: 2, members: ["t-2", "t-3"] });
    assert.equal(waiting.isDone(), false);
    await cluster.ok(["up"]);
    assert.equal(await waiting.end(), "done");
    await session.end();
    await untilPromised(cluster, 2);
    await assertAllRows(cluster, [-1]);
  });

  it("goes on with one where that was wished, says so, and comes back to two", async () => {
    await cluster.ok(["config", "set", "whenUnavailable=degrade"]);
    await cluster.killMember("t-3");
    const session = await connectAsLibpq(await memberUrl(cluster, "t-1"));
    assert.equal(await insertOne(session, -2).end(), "done");
    await session.end();
    const { sync } = await cluster.until("less is promised", (status) => {
      return status.sync.guarantee?.required === 1;
    });
    assert.ok(sync.guarantee?.members.includes("t-2"));
    const told = (await eventsOf(cluster, "t-1")).findLast(({ event }) => event === "sync-lowered");
    assert.equal(told?.level, "warning");
    assert.match(told?.message ?? "", /fewer standbys stream than the 2 that are wanted\.$/);
    await cluster.ok(["up"]);
    const later = await untilPromised(cluster, 2);
    assert.deepEqual(later.sync.guarantee, { required: 2, members: ["t-2", "t-3"] });
    await assertAllRows(cluster, [-1, -2]);
  });
});
