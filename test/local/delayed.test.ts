// A delayed standby: it holds back what it has received, and where nobody else can lead it does so
// with everything.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { eventually } from "../support/eventually.ts";
import { TestCluster, memberOf } from "../support/local-cluster.ts";
import { eventsOf } from "./diverged-primary.ts";
import { asSuperuser } from "./server-facts.ts";

const COUNT = "SELECT count(*)::int FROM public.kept";

describe("a delayed standby", () => {
  // Up to 11 the delay ends with a restart, from 12 on with a reload.
  for (const major of [10, 15] as const)
    it(`of PostgreSQL ${major} replays later, and leads with all it has where nobody else can`, async () => {
      await using cluster = await TestCluster.up(major, { standbys: 1 });
      await asSuperuser(cluster, "t-1", "CREATE TABLE public.kept (n int)");
      await eventually("t-2 has the table", async () => {
        return (await asSuperuser(cluster, "t-2", COUNT)) === 0;
      });
      await cluster.ok(["member", "set", "t-2", "delay=1h"]);
      await heldBack(cluster);
      const written = await asSuperuser(cluster, "t-1", COUNT);
      const { term } = await cluster.status();
      await cluster.killMember("t-1");
      await cluster.until("t-2 leads", (status) => status.term > term && status.primary === "t-2");
      assert.equal(await asSuperuser(cluster, "t-2", COUNT), written);
      assert.ok((await eventsOf(cluster, "t-2")).includes("delay-ended"));
    });
});

/** Rows are written until one is received and not replayed. */
async function heldBack(cluster: TestCluster): Promise<void> {
  await eventually("a row is held back", async () => {
    await asSuperuser(cluster, "t-1", "INSERT INTO public.kept VALUES (1)");
    const status = await cluster.until("it is received", ({ members }) =>
      members.some(({ name, receiveLagBytes }) => name === "t-2" && receiveLagBytes === 0),
    );
    return (memberOf(status, "t-2").replayLagBytes ?? 0) > 0;
  });
}
