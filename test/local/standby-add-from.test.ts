// A standby that is made to stream from another standby, and to hold back, from its first moment:
// it copies that other one and not the primary.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { eventually } from "../support/eventually.ts";
import { TestCluster, memberOf } from "../support/local-cluster.ts";
import { asSuperuser } from "./server-facts.ts";

describe("standby add --from", () => {
  for (const major of [10, 15] as const)
    it(`of PostgreSQL ${major} copies that standby and streams from it, held back from the beginning`, async () => {
      await using cluster = await TestCluster.up(major, { standbys: 1 });
      await asSuperuser(cluster, "t-1", "CREATE TABLE public.kept (n int)");
      await eventually("t-2 has the table", async () => {
        return (await asSuperuser(cluster, "t-2", "SELECT count(*)::int FROM public.kept")) === 0;
      });
      const added = JSON.parse(
        await cluster.ok(["standby", "add", "t-3", "--from", "t-2", "--delay", "1h"]),
      );
      assert.deepEqual([added.member, added.from], ["t-3", "t-2"]);
      const status = await cluster.until("t-3 streams from t-2", (seen) => {
        const { state, upstream } = memberOf(seen, "t-3");
        return state === "streaming" && upstream === "t-2";
      });
      assert.equal(memberOf(status, "t-3").delayMs, 3_600_000);
      assert.match(await cluster.ok(["events"]), /t-3 copied t-2: /);
      const count = await asSuperuser(cluster, "t-3", "SELECT count(*)::int FROM public.kept");
      assert.equal(count, 0, "what was there before the copy is on it");
    });
});
