import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { TestCluster } from "../support/local-cluster.ts";
import { loseAgent, movedAway, survives, tooNew, upWithPatience } from "./store-outage.ts";

describe("a store that cannot be used", () => {
  let cluster: TestCluster;
  before(async () => {
    cluster = await upWithPatience();
  });
  after(() => cluster[Symbol.asyncDispose]());

  it("because its files were moved away interrupts nothing, also where the primary's agent dies", () =>
    survives(cluster, movedAway, async ({ primary }) => {
      const { error } = await cluster.fails(["status"]);
      assert.equal(error.code, "RECORD_CORRUPT");
      assert.match(error.message, /record\.db holds no record of t$/);
      await loseAgent(cluster, primary ?? "");
    }));

  it("because a newer Understudy has written it interrupts nothing, also where an agent dies", () =>
    survives(cluster, tooNew, async () => {
      const { error } = await cluster.fails(["status"]);
      assert.equal(error.code, "RECORD_TOO_NEW");
      assert.match(error.message, /has version 99, this Understudy knows 1$/);
      await loseAgent(cluster, "t-2");
    }));
});
