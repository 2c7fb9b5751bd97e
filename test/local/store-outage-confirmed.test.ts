// A store that is away from agents whose servers live by confirmed renewals: the leader goes on for
// as long as every member confirms it, and is ended by its deadman when one does not.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { readJournal } from "../../src/agent/journal.ts";
import { AppWriter } from "../support/app-writer.ts";
import { signal } from "../support/cluster-processes.ts";
import { eventually } from "../support/eventually.ts";
import { TestCluster } from "../support/local-cluster.ts";
import { assertAllRows, writeUrl } from "./cluster-facts.ts";
import { held, setLease, survives } from "./store-outage.ts";

const AGENT = fileURLToPath(new URL("./agent-by-renewals-child.ts", import.meta.url));
/** An attempt at a held store takes two seconds of it. */
const TTL_MS = 10_000;

describe("a store that is away from members that live by its confirmations", () => {
  let cluster: TestCluster;
  before(async () => {
    cluster = await TestCluster.up(15);
    await cluster.ok(["pause"]);
    await setLease(cluster, TTL_MS);
    for (const member of ["t-1", "t-2", "t-3"]) {
      await cluster.killAgentForGood(member);
      const args = [AGENT, "agent", "--dir", cluster.dir, "--member", member];
      spawn(process.execPath, args, { stdio: "ignore", cwd: "/" });
      await eventually("its deadman watches", () => cluster.deadmanPids(member).length === 1);
    }
    await cluster.ok(["resume"]);
  });
  after(() => cluster[Symbol.asyncDispose]());

  it("interrupts nothing while all confirm the leader", async () => {
    await survives(cluster, held({ holdMs: 600_000, freeMs: 0 }));
    const log = await readJournal(cluster.paths("t-1").agentLog);
    const confirmed = log.find(({ event }) => event === "confirmed-by-all");
    assert.equal(
      confirmed?.message,
      "The store does not answer; every member confirms t-1 for term 1.",
    );
  });

  it("ends a leader that a member does not confirm, and somebody leads when the store is back", async () => {
    const { primary } = await cluster.untilHealthy();
    assert.equal(primary, "t-1");
    await using writer = await AppWriter.start(await writeUrl(cluster));
    await writer.hasWritten(20);
    const killed = async () => {
      const events = await readJournal(cluster.paths("t-1").events);
      return events.filter(({ event }) => event === "server-killed");
    };
    const earlier = (await killed()).length;
    const release = await held({ holdMs: 600_000, freeMs: 0 })(cluster);
    const silent = cluster.agentPid("t-3");
    signal(silent, "SIGSTOP");
    try {
      await eventually("its deadman has ended it", async () => (await killed()).length > earlier);
      const log = await readJournal(cluster.paths("t-1").agentLog);
      assert.ok(log.some(({ event }) => event === "not-confirmed"));
    } finally {
      signal(silent, "SIGCONT");
      await release();
    }
    await writer.hasWritten(20);
    await cluster.untilHealthy();
    await assertAllRows(cluster, await writer.stop());
  });
});
