// Settings of Understudy's own: set, shown, planned and refused on a cluster that is there.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { TestCluster } from "../support/local-cluster.ts";

interface Row {
  readonly member?: string;
  readonly key: string;
  readonly text: string;
  readonly value: unknown;
  readonly isDefault: boolean;
}

describe("settings of a cluster and of its members", () => {
  let cluster: TestCluster;

  before(async () => {
    cluster = await TestCluster.up(15, { standbys: 1 });
  });

  after(async () => {
    await cluster[Symbol.asyncDispose]();
  });

  async function shown(...words: string[]): Promise<Row[]> {
    return JSON.parse(await cluster.ok(words));
  }

  it("are in effect at once, and survive a restart of everything", async () => {
    await cluster.ok(["config", "set", "maximumlag=16MB"]);
    await cluster.ok(["member", "set", "t-2", "priority=5", "noreads=on"]);
    await cluster.ok(["down"]);
    // No agent is needed to change them: they are in the record.
    await cluster.ok(["member", "set", "t-2", "--reset", "noreads"]);
    await cluster.ok(["up"]);
    await cluster.untilHealthy();
    const [limit] = await shown("config", "show", "maximumLag");
    assert.deepEqual([limit?.text, limit?.value, limit?.isDefault], ["16MB", 16_777_216, false]);
    const ofMembers = await shown("member", "show");
    assert.deepEqual(
      ofMembers
        .filter(({ isDefault }) => !isDefault)
        .map(({ member, key, text }) => [member, key, text]),
      [["t-2", "priority", "5"]],
    );
  });

  it("are only planned by a dry run, and say so when they are so already", async () => {
    const plan: { dryRun: boolean; steps: string[] } = JSON.parse(
      await cluster.ok(["config", "set", "maximumLag=1GB", "--dry-run"]),
    );
    assert.deepEqual(plan.steps, ["maximumLag: 16MB becomes 1GB"]);
    const same: { summary: string; changed: boolean } = JSON.parse(
      await cluster.ok(["config", "set", "maximumLag=16MB"]),
    );
    assert.deepEqual([same.summary, same.changed], ["maximumLag is 16MB already", false]);
  });

  it("are refused where there is no such key, value or member", async () => {
    const refusals = [
      ["config set maxLag=1MB", "USAGE", /^there is no setting "maxLag"$/],
      ["config set maximumLag=-1", "USAGE", /^maximumLag takes a size such as 16MB, or none/],
      ["config show lag", "USAGE", /^there is no setting "lag"$/],
      ["member set t-2 noreads=perhaps", "USAGE", /^noreads takes true or false, not "perhaps"$/],
      ["member set t-9 priority=1", "MEMBER_NOT_FOUND", /has no member "t-9"$/],
      ["member show t-9", "MEMBER_NOT_FOUND", /has no member "t-9"$/],
    ] as const;
    for (const [words, code, says] of refusals) {
      const { error } = await cluster.fails(words.split(" "));
      assert.equal(error.code, code, words);
      assert.match(error.message, says);
    }
  });
});
