// Who has which priority: the deadman the highest that its user can get, also the one of an agent
// that was started again; agents and PostgreSQL what the command that started them had; and of
// PostgreSQL the kernel ends a backend before the postmaster.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { readChildren } from "../../src/postgres/proc.ts";
import { readOomScore } from "../../src/postgres/oom-score.ts";
import { eventually } from "../support/eventually.ts";
import { TestCluster, memberOf } from "../support/local-cluster.ts";

/** What the command has; everybody may raise his own. */
const USUAL_OOM_SCORE = 300;
const RAISED = ["sh", "-c", `echo ${USUAL_OOM_SCORE} > /proc/self/oom_score_adj; exec "$@"`, "sh"];

describe("priorities", () => {
  it("are the highest for the deadman and the usual ones for agent and PostgreSQL", async () => {
    await using cluster = await TestCluster.up(15, { standbys: 0, within: RAISED });
    const highest = highestNice();
    const check = async () => {
      const { pid } = memberOf(await cluster.untilHealthy(), "t-1");
      const agent = cluster.agentPid("t-1");
      const [deadman = 0] = cluster.deadmanPids("t-1");
      await eventually("the deadman has taken its priority", () => niceOf(deadman) === highest);
      await eventually("the agent has given it back", () => niceOf(agent) === 0);
      assert.ok((readOomScore(deadman) ?? 0) <= 0, `deadman: ${readOomScore(deadman)}`);
      const backends = readChildren(pid ?? 0) ?? [];
      assert.ok((readOomScore(pid ?? 0) ?? 0) <= 0, `postmaster: ${readOomScore(pid ?? 0)}`);
      assert.ok(backends.length > 3);
      for (const backend of [pid ?? 0, ...backends]) assert.equal(niceOf(backend), 0);
      // One may just have ended.
      const scores = backends.map((each) => readOomScore(each)).filter((score) => score !== null);
      assert.deepEqual([...new Set(scores)], [USUAL_OOM_SCORE]);
      return { agent, deadman };
    };
    const first = await check();
    await cluster.kill(first.agent);
    await eventually("another agent runs, with a deadman of its own", () => {
      const [now, ...more] = cluster.deadmanPids("t-1");
      return now !== undefined && now !== first.deadman && more.length === 0;
    });
    const second = await check();
    assert.notEqual(second.agent, first.agent);
    assert.equal(readOomScore(second.agent), USUAL_OOM_SCORE);
  });
});

/** Of whoever starts a cluster: for root what he may, for others what RLIMIT_NICE permits. */
function highestNice(): number {
  const tried = spawnSync("nice", ["-n", "-20", "nice"], { encoding: "utf8" });
  return Number(tried.stdout);
}

/** Field 19 of proc(5), "stat". */
function niceOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[16]);
}
