import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { TestCluster } from "../support/local-cluster.ts";
import { held, loseAgent, survives, upWithPatience } from "./store-outage.ts";

describe("a store that another process holds", () => {
  let cluster: TestCluster;
  before(async () => {
    cluster = await upWithPatience();
  });
  after(() => cluster[Symbol.asyncDispose]());

  it("again and again, so that each step takes a second, interrupts nothing", () =>
    survives(cluster, held({ holdMs: 1_000, freeMs: 50 })));

  it("for long interrupts nothing, also where the primary's agent dies meanwhile", () =>
    survives(cluster, held({ holdMs: 600_000, freeMs: 0 }), async ({ primary }) => {
      const { error } = await cluster.fails(["pause"]);
      assert.equal(error.code, "STORE_UNAVAILABLE");
      assert.match(error.message, /^cannot write the cluster's record in .*: database is locked$/);
      await loseAgent(cluster, primary ?? "");
    }));
});
