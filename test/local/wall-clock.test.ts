// The machine's clock is set back by an hour and forward by two: nobody is demoted, events stay in
// the order in which things happened, and what was set aside last is not taken for the oldest.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { LEASE_TTL_MS } from "../../src/local/create-cluster.ts";
import { AppWriter } from "../support/app-writer.ts";
import { eventually } from "../support/eventually.ts";
import { installationFor } from "../support/installations.ts";
import { TestCluster } from "../support/local-cluster.ts";
import { MovableClock } from "../support/movable-clock.ts";
import { assertAllRows, writeUrl } from "./cluster-facts.ts";

const HOUR = 3_600;

describe("a wall clock that is set", () => {
  let clock: MovableClock;
  let cluster: TestCluster;
  before(async () => {
    clock = await MovableClock.make(await installationFor(15));
    cluster = await TestCluster.reserve(clock.installation, { within: clock.enter });
    await cluster.ok(cluster.upArgs());
  });
  after(async () => {
    await cluster[Symbol.asyncDispose]();
    await clock[Symbol.asyncDispose]();
  });

  for (const [direction, seconds] of [
    ["back", -HOUR],
    ["forward", HOUR],
  ] as const)
    it(`${direction} by an hour or more interrupts nobody and changes nothing`, async () => {
      const earlier = await cluster.untilHealthy();
      await using writer = await AppWriter.start(await writeUrl(cluster));
      await writer.hasWritten(20);
      await clock.set(seconds);
      const setMs = performance.now();
      await eventually("a lease is over", () => {
        return performance.now() - setMs > LEASE_TTL_MS * 1.2;
      });
      await writer.hasWritten(20);
      const later = await cluster.untilHealthy();
      const shape = ({ term, primary, members }: typeof later) => {
        return { term, primary, servers: members.map(({ name, pid }) => [name, pid]) };
      };
      assert.deepEqual(shape(later), shape(earlier));
      await assertAllRows(cluster, await writer.stop());
    });

  it("leaves events in the order in which they happened", async () => {
    await clock.set(0);
    const { primary } = await cluster.untilHealthy();
    const next = primary === "t-1" ? "t-2" : "t-1";
    await cluster.ok(["switchover", "--to", next, "--yes"]);
    await cluster.untilHealthy();
    await clock.set(-HOUR);
    await cluster.ok(["switchover", "--to", primary ?? "", "--yes"]);
    await cluster.untilHealthy();
    const promoted = (await eventsOf(cluster)).filter(({ event }) => event === "promoted");
    assert.deepEqual(
      promoted.slice(-3).map(({ member }) => member),
      [primary, next, primary],
    );
  });
});

async function eventsOf(cluster: TestCluster): Promise<{ event: string; member: string }[]> {
  return JSON.parse(await cluster.ok(["events"]));
}
