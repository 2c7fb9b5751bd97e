// The data directory of a running primary is deleted, or moved away: its server could go on by the
// files that it has open, and must not, once another leads.
import assert from "node:assert/strict";
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { AppWriter } from "../support/app-writer.ts";
import { isAlive } from "../support/cluster-processes.ts";
import { TestCluster, memberOf } from "../support/local-cluster.ts";
import { assertAllRows, writeUrl } from "./cluster-facts.ts";

describe("a primary whose data directory is taken away under it", () => {
  it("is ended before a standby takes over, deleted or moved, and copied anew", async () => {
    await using cluster = await TestCluster.up(15);
    for (const how of ["deleted", "moved"] as const) {
      const { primary, term, members } = await cluster.untilHealthy();
      assert.ok(primary !== null);
      const pid = members.find(({ name }) => name === primary)?.pid ?? 0;
      await using writer = await AppWriter.start(await writeUrl(cluster));
      await writer.hasWritten(50);
      const { data } = cluster.paths(primary);
      const elsewhere = join(cluster.dir, "moved");
      if (how === "moved") await rename(data, elsewhere);
      else await rm(data, { recursive: true, force: true, maxRetries: 10 });
      const later = await cluster.until("another leads", (status) => {
        return status.term > term && status.primary !== null && status.primary !== primary;
      });
      assert.equal(
        isAlive(pid),
        false,
        `the server whose data was ${how} lives beside ${later.primary}`,
      );
      await writer.hasWritten(50);
      const status = await cluster.untilHealthy();
      assert.equal(memberOf(status, primary).state, "streaming");
      await rm(elsewhere, { recursive: true, force: true });
      const acknowledged = await writer.stop();
      // Nobody can save what only the lost disk had: what the standbys had received is all there.
      const before = acknowledged.slice(0, 40);
      await assertAllRows(cluster, before);
    }
  });
});
