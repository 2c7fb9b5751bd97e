// Two members that have diverged at the same time are rewound one after the other: while the first
// one's data are worth nothing, the other's are as they were.
import assert from "node:assert/strict";
import { readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { AWAITS_REWIND } from "../../src/core/protocol/rewind-turn.ts";
import { markerPath } from "../../src/postgres/base-backup/marker.ts";
import { findServerProcesses } from "../../src/postgres/processes.ts";
import { AppWriter, compareRows } from "../support/app-writer.ts";
import { eventually } from "../support/eventually.ts";
import { installationFor } from "../support/installations.ts";
import { TestCluster, memberOf } from "../support/local-cluster.ts";
import { RewindWrapper } from "../support/rewind-wrapper.ts";
import { hasNoLag, memberUrl, writeUrl } from "./cluster-facts.ts";
import { cutOff } from "./crash-failover.ts";
import { eventsOf } from "./diverged-primary.ts";

const BOTH = ["t-1", "t-2"] as const;
const NEXT = "t-3";

describe("PostgreSQL 15, two members that have diverged", () => {
  let wrapper: RewindWrapper;
  let cluster: TestCluster;
  before(async () => {
    wrapper = await RewindWrapper.make(await installationFor(15));
    cluster = await TestCluster.reserve(wrapper.installation);
    await cluster.ok(cluster.upArgs({ standbys: 2 }));
  });
  after(async () => {
    await cluster[Symbol.asyncDispose]();
    await wrapper[Symbol.asyncDispose]();
  });

  it("are rewound one after the other", () => areRewoundInTurn(cluster, wrapper));
});

async function areRewoundInTurn(cluster: TestCluster, wrapper: RewindWrapper): Promise<void> {
  await wrapper.set("wait");
  const acknowledged = await leaveBehind(cluster);
  const up = cluster.begin(["up"]);
  const first = await eventually("one is being rewound", () =>
    BOTH.find((name) => isBeingRewound(cluster, name)),
  );
  const second = BOTH.find((name) => name !== first) ?? "";
  const waiting = await cluster.until("the other waits for its turn", ({ members }) =>
    members.some(({ name, progress }) => name === second && progress?.step === AWAITS_REWIND),
  );
  assert.equal(memberOf(waiting, first).state, "rewinding");
  assert.equal(isBeingRewound(cluster, second), false);
  await assert.rejects(readFile(markerPath(cluster.paths(second).data)), { code: "ENOENT" });
  await wrapper.set("real");
  await up.ended;
  const status = await cluster.untilHealthy();
  assert.equal(status.primary, NEXT);
  for (const name of BOTH) {
    const events = await eventsOf(cluster, name);
    assert.ok(events.includes("rewound") && !events.includes("data-set-aside"), events.join());
  }
  await cluster.until("the standbys have everything", hasNoLag);
  const { missing: lost } = await compareRows(await memberUrl(cluster, NEXT), acknowledged);
  for (const name of BOTH) {
    const found = await compareRows(await memberUrl(cluster, name), acknowledged);
    assert.deepEqual(found, { missing: lost, doubled: [] }, name);
  }
}

function isBeingRewound(cluster: TestCluster, name: string): boolean {
  const processes = findServerProcesses(cluster.paths(name).data);
  return processes.some((found) => found.name === "pg_rewind");
}

/** The third leads, and neither of the others' disks could be read when it began to. */
async function leaveBehind(cluster: TestCluster): Promise<readonly number[]> {
  const { primary } = await cluster.untilHealthy();
  assert.equal(primary, "t-1");
  await using writer = await AppWriter.start(await writeUrl(cluster));
  await writer.hasWritten(20);
  const release = await cutOff(cluster, [NEXT]);
  await writer.hasWritten(80);
  const acknowledged = await writer.stop();
  await cluster.until("the other standby has everything", ({ members }) => {
    const lsns = BOTH.map((name) => members.find((member) => member.name === name)?.flushLsn);
    return typeof lsns[0] === "string" && lsns[0] === lsns[1];
  });
  await cluster.ok(["pause"]);
  for (const name of BOTH) {
    await cluster.killMember(name);
    await rename(cluster.paths(name).data, join(cluster.dir, `data-of-${name}`));
  }
  await release();
  await cluster.run(["failover", "--to", NEXT, "--accept-loss", "--yes"]);
  await cluster.until(`${NEXT} leads`, (status) => status.primary === NEXT);
  await cluster.ok(["resume"]);
  for (const name of BOTH)
    await rename(join(cluster.dir, `data-of-${name}`), cluster.paths(name).data);
  return acknowledged;
}
