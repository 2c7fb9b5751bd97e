// What persons decide by commands is among the events: who, what, from what to what; and nothing
// where nothing was changed.
import assert from "node:assert/strict";
import { mkdir, rm, stat } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import type { Entry } from "../../src/agent/journal.ts";
import { clusterPaths } from "../../src/agent/member-paths.ts";
import { TestCluster } from "../support/local-cluster.ts";

describe("what a person decides", () => {
  let cluster: TestCluster;

  before(async () => {
    cluster = await TestCluster.up(15, { standbys: 1 });
  });

  after(() => cluster[Symbol.asyncDispose]());

  async function decided(): Promise<Entry[]> {
    const all: Entry[] = JSON.parse(await cluster.ok(["events", "--lines", "1000"]));
    return all.filter(({ member }) => member === "person");
  }

  it("is told with who it was and what became of what, in the order in which it was done", async () => {
    for (const command of [
      "pause",
      "resume",
      "config set maximumLag=16MB",
      "member set t-2 priority=5 noreads=true",
      "param set work_mem=8MB",
      "param set --reset work_mem",
      "fence t-2",
      "unfence t-2",
    ])
      await cluster.ok(command.split(" "));
    const events = await decided();
    const names = ["paused", "resumed", "config-set", "member-set", "parameters-set"];
    assert.deepEqual(
      events.map(({ event }) => event),
      [...names, "parameters-set", "fenced", "unfenced"],
    );
    const by = String(events[0]?.details?.["by"]);
    assert.ok(by.length > 0);
    assert.deepEqual(
      events.map(({ message }) => message),
      [
        "paused t: nothing fails over by itself.",
        "resumed t: a standby takes over when its primary fails.",
        "changed settings of t; maximumLag: none becomes 16MB.",
        "changed settings of t-2; priority: 0 becomes 5, noreads: false becomes true.",
        "changed parameters of t; work_mem: the default becomes 8MB.",
        "changed parameters of t; work_mem: 8MB becomes the default.",
        "fenced t-2: its PostgreSQL stays stopped until it is unfenced.",
        "unfenced t-2: its PostgreSQL may run again.",
      ].map((what) => `${by} ${what}`),
    );
    assert.deepEqual(events[3]?.details?.["changes"], [
      { key: "priority", from: "0", to: "5" },
      { key: "noreads", from: "false", to: "true" },
    ]);
  });

  it("is not told twice where the second command changed nothing", async () => {
    const earlier = (await decided()).length;
    await cluster.ok(["resume"]);
    await cluster.ok(["config", "set", "maximumLag=16MB"]);
    await cluster.ok(["config", "set", "maximumLag=1MB", "--dry-run"]);
    assert.equal((await decided()).length, earlier);
  });

  it("is done also where it cannot be written down, and that is said", async () => {
    const { root, events } = clusterPaths(cluster.dir);
    await rm(events);
    await mkdir(events);
    const result = await cluster.run(["pause"]);
    assert.equal(result.status, 0, result.stderr);
    assert.match(JSON.parse(result.stdout).summary, /is paused: .*; this is not among the events/);
    assert.equal((await cluster.status()).state, "paused");
    await rm(events, { recursive: true });
    await cluster.ok(["resume"]);
    const [made, owner] = [await stat(events), await stat(root)];
    assert.deepEqual([made.uid, made.mode & 0o777], [owner.uid, 0o600]);
  });
});
