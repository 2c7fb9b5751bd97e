// A primary that is frozen whole, as by `docker pause` or a debugger: agent, deadman and every
// process of PostgreSQL stand still for longer than the lease, and go on afterwards.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { LEASE_TTL_MS } from "../../src/local/create-cluster.ts";
import { AppWriter } from "../support/app-writer.ts";
import { eventually } from "../support/eventually.ts";
import { freezeMember } from "../support/frozen-member.ts";
import { TestCluster, memberOf } from "../support/local-cluster.ts";
import { assertAllRows, writeUrl } from "./cluster-facts.ts";

/** Long enough for a deadman to look, and far shorter than its patience. */
const DEADMAN_FIRST_MS = 200;

describe("a member that is frozen whole", () => {
  let cluster: TestCluster;
  before(async () => {
    cluster = await TestCluster.up(15);
  });
  after(() => cluster[Symbol.asyncDispose]());

  it("is succeeded while it stands still, and streams when it goes on", async () => {
    const { primary, term } = await cluster.untilHealthy();
    assert.ok(primary !== null);
    await using writer = await AppWriter.start(await writeUrl(cluster));
    await writer.hasWritten(50);
    const frozen = await freezeMember(cluster, primary);
    const later = await cluster.until("another member leads", (status) => {
      return status.term > term && status.primary !== null;
    });
    assert.notEqual(later.primary, primary);
    await writer.hasWritten(50);
    frozen.thaw();
    const status = await cluster.untilHealthy();
    assert.equal(memberOf(status, primary).state, "streaming");
    await writer.hasWritten(20);
    await assertAllRows(cluster, await writer.stop());
  });

  it("goes on as it was where nobody may succeed it: its deadman hears the agent first", async () => {
    const { primary } = await cluster.untilHealthy();
    assert.ok(primary !== null);
    await cluster.ok(["pause"]);
    const earlier = await cluster.status();
    await using writer = await AppWriter.start(await writeUrl(cluster));
    await writer.hasWritten(20);
    const agent = cluster.agentPid(primary);
    const frozen = await freezeMember(cluster, primary);
    const frozenAt = performance.now();
    await eventually("the lease is long over", () => {
      return performance.now() - frozenAt > LEASE_TTL_MS * 1.5;
    });
    // On a busy machine the deadman may have its turn first.
    frozen.thaw(frozen.pids.filter((pid) => pid !== agent));
    await delay(DEADMAN_FIRST_MS);
    frozen.thaw([agent]);
    await writer.hasWritten(50);
    await cluster.ok(["resume"]);
    const later = await cluster.untilHealthy();
    assert.equal(memberOf(later, primary).pid, memberOf(earlier, primary).pid);
    assert.equal(later.term, earlier.term);
    await assertAllRows(cluster, await writer.stop());
  });
});
