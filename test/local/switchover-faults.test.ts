// Switchovers on a bad day: twice at once, during a failover, and to a member that dies in the
// middle, at each step that it may have come to. Each ends soon, with one primary, and nothing that
// was acknowledged is lost.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { readJournal } from "../../src/agent/journal.ts";
import { AppWriter } from "../support/app-writer.ts";
import { eventually } from "../support/eventually.ts";
import { TestCluster, errorOf, memberOf, type CommandResult } from "../support/local-cluster.ts";
import { assertAllRows, writeUrl } from "./cluster-facts.ts";

const MEMBERS = ["t-1", "t-2", "t-3"];

describe("a switchover", () => {
  let cluster: TestCluster;
  before(async () => {
    cluster = await TestCluster.up(15);
  });
  after(() => cluster[Symbol.asyncDispose]());

  it("that is asked for twice at once is done once", () =>
    underWriter(async () => {
      const { primary, term } = await cluster.untilHealthy();
      const standbys = MEMBERS.filter((name) => name !== primary);
      const results = await Promise.all(
        standbys.map((to) => cluster.begin(["switchover", "--to", to, "--yes"]).ended),
      );
      const [done, ...more] = results.filter(({ status }) => status === 0);
      assert.ok(done !== undefined && more.length === 0, describeAll(results));
      const refused = results.find(({ status }) => status !== 0);
      assert.match(refused === undefined ? "" : errorOf(refused).code, /OPERATION_IN_PROGRESS/);
      const later = await cluster.untilHealthy();
      assert.equal(later.term, term + 1);
      assert.equal(later.primary, JSON.parse(done.stdout).to);
    }));

  it("that is asked for during a failover is refused, or done when that is over", () =>
    underWriter(async () => {
      const { primary } = await cluster.untilHealthy();
      const to = MEMBERS.find((name) => name !== primary) ?? "";
      await cluster.killMember(primary ?? "");
      const { status, ...rest } = await cluster.begin(["switchover", "--to", to, "--yes"]).ended;
      if (status !== 0)
        assert.match(errorOf({ status, ...rest }).code, /^(NO_PRIMARY|SWITCHOVER_REFUSED)$/);
      await cluster.ok(["up"]);
    }));

  for (const event of ["switchover-begun", "handed-over", "lease-taken"])
    it(`to a member that dies once there is the event "${event}" ends with one primary`, () =>
      underWriter(async () => {
        const earlier = await cluster.untilHealthy();
        const from = earlier.primary ?? "";
        const to = MEMBERS.find((name) => name !== from) ?? "";
        const seen = await countOf(cluster, event);
        const { ended } = cluster.begin(["switchover", "--to", to, "--yes"]);
        await eventually(`there is one more ${event}`, async () => {
          return (await countOf(cluster, event)) > seen;
        });
        await cluster.killMember(to);
        const result = await ended;
        // It may have been done before the end came.
        if (result.status !== 0) assert.match(errorOf(result).code, /^SWITCHOVER_FAILED$/);
        const later = await cluster.until("one leads and another follows it", (status) => {
          const states = status.members.map(({ state }) => state);
          return status.primary !== null && states.includes("streaming");
        });
        assert.notEqual(later.primary, to);
        await cluster.ok(["up"]);
      }));

  async function underWriter(change: () => Promise<void>): Promise<void> {
    await cluster.untilHealthy();
    await using writer = await AppWriter.start(await writeUrl(cluster));
    await writer.hasWritten(20);
    await change();
    await writer.hasWritten(20);
    const status = await cluster.untilHealthy();
    for (const { name, state } of status.members)
      assert.equal(state, name === status.primary ? "running" : "streaming");
    assert.equal(memberOf(status, status.primary ?? "").role, "primary");
    await assertAllRows(cluster, await writer.stop());
  }
});

async function countOf(cluster: TestCluster, name: string): Promise<number> {
  const journals = MEMBERS.map((member) => readJournal(cluster.paths(member).events));
  return (await Promise.all(journals)).flat().filter(({ event }) => event === name).length;
}

function describeAll(results: readonly CommandResult[]): string {
  return results.map(({ status, stdout, stderr }) => `${status}: ${stdout}${stderr}`).join("\n");
}
