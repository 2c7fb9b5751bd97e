// A switchover at a time that a person has named: done then, kept through restarts, cancelled, and
// not done when its time was missed or another member leads since.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Entry } from "../../src/agent/journal.ts";
import { changeClusterRecord, openCluster, readRecord } from "../../src/local/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { TestCluster } from "../support/local-cluster.ts";

const FAR = "2099-01-01T00:00:00Z";

describe("a switchover for later", () => {
  let cluster: TestCluster;

  before(async () => {
    cluster = await TestCluster.up(15, { standbys: 1 });
  });

  after(async () => {
    await cluster[Symbol.asyncDispose]();
  });

  const opened = () => openCluster({ name: cluster.name, dir: cluster.dir });

  async function scheduled() {
    return (await readRecord(await opened())).scheduled;
  }

  function untilEvent(name: string): Promise<Entry> {
    return eventually(`the event ${name}`, async () => {
      const events: Entry[] = JSON.parse(await cluster.ok(["events"]));
      return events.findLast(({ event }) => event === name) ?? null;
    });
  }

  it("is done when its time comes, and an event says by whose word", async () => {
    const { primary } = await cluster.untilHealthy();
    assert.equal(primary, "t-1");
    await cluster.ok(["switchover", "--at", at(3_000)]);
    await cluster.until("t-2 leads", (status) => status.primary === "t-2");
    const handed = await untilEvent("handed-over");
    assert.equal(handed.rule, "switchover-on-schedule");
    assert.equal(await scheduled(), null);
    await cluster.untilHealthy();
  });

  it("is kept while everything starts again, shown, replaced and cancelled", async () => {
    await cluster.ok(["switchover", "--to", "t-1", "--at", at(3_600_000)]);
    await cluster.ok(["down"]);
    await cluster.ok(["up"]);
    const { primary, warnings } = await cluster.untilHealthy();
    assert.equal(primary, "t-2");
    assert.ok(warnings.some((text) => /a switchover to t-1 is scheduled for/.test(text)));
    const later = at(7_200_000);
    await cluster.ok(["switchover", "--at", later]);
    assert.deepEqual(await scheduled(), { at: later, to: null });
    await cluster.ok(["switchover", "--cancel"]);
    assert.equal(await scheduled(), null);
    await untilEvent("switchover-cancelled");
    assert.match(await cluster.ok(["switchover", "--cancel"]), /no switchover was scheduled/);
  });

  it("is not done when its time was missed, and an event says so", async () => {
    const missed = { at: new Date(Date.now() - 600_000).toISOString(), to: null };
    await changeClusterRecord(await opened(), (record) => ({ ...record, scheduled: missed }));
    const expired = await untilEvent("switchover-expired");
    assert.match(expired.message, /its time had passed 10 minutes before/);
    assert.equal(await scheduled(), null);
    assert.equal((await cluster.status()).primary, "t-2");
  });

  it("ends with another change of the primary", async () => {
    await cluster.ok(["switchover", "--at", at(3_600_000)]);
    await cluster.ok(["switchover"]);
    assert.equal(await scheduled(), null);
    await cluster.untilHealthy();
  });

  it("is refused where it can never be done", async () => {
    const refusals = [
      ["--at 2001-01-01T00:00:00Z", "USAGE", /has passed/],
      [`--at ${FAR}`, "USAGE", /days away$/],
      [`--at ${at(60_000)} --to t-9`, "MEMBER_NOT_FOUND", /no member "t-9"$/],
      [`--at ${at(60_000)} --to t-1`, "SWITCHOVER_REFUSED", /it is the primary already$/],
    ] as const;
    for (const [words, code, says] of refusals) {
      const { error } = await cluster.fails(["switchover", ...words.split(" ")]);
      assert.equal(error.code, code, words);
      assert.match(error.message, says);
    }
    assert.equal(await scheduled(), null);
  });
});

function at(inMs: number): string {
  return new Date(Date.now() + inMs).toISOString();
}
