// No member sees another's disk: what a killed primary had written and no standby had received is
// fetched from its agent, which lives.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { readJournal } from "../../../src/agent/journal.ts";
import { memberPaths } from "../../../src/agent/member-paths.ts";
import { readCommandLine } from "../../../src/postgres/proc.ts";
import {
  findServerProcesses,
  killServer,
  untilStandsStill,
} from "../../../src/postgres/processes.ts";
import { agentsOfOwnServer } from "../agents-of-own-server.ts";
import type { PodAgents } from "../pod-agents.ts";

const KILL_LIMIT_MS = 10_000;
/** Rows of about one kilobyte each. */
const FILL = "INSERT INTO kept SELECT repeat(md5(i::text), 32) FROM generate_series(1, $1) AS i";

test("nothing is lost when PostgreSQL is killed whole before it has sent what it had committed", async () => {
  await using subject = await agentsOfOwnServer({ standbys: 1 });
  const { cluster } = subject;
  const [few, many] = [100, 40_000];
  let old = await cluster.primary({ standbys: 1 });
  await cluster.query(old, "CREATE TABLE kept (filler text)");
  let expected = 0;
  // A part of a segment, then more than two, on another timeline.
  for (const rows of [few, many]) {
    await freezeSenders(dataOf(cluster, old));
    for (let count = 0; count < rows; count += few)
      await cluster.query(old, FILL.replace("$1", String(few)));
    expected += rows;
    await killServer({ dataDir: dataOf(cluster, old), timeoutMs: KILL_LIMIT_MS });
    const next = await cluster.primary({ standbys: 0, not: old });
    const elected = (await eventsOf(cluster, next)).findLast(({ event }) => event === "elected");
    assert.equal(elected?.details?.["lostBytes"], 0, JSON.stringify(elected));
    assert.equal(Number(await cluster.value(next, "SELECT count(*) FROM kept")), expected);
    assert.ok(Number(elected?.details?.["savedBytes"]) > rows * 1_000, JSON.stringify(elected));
    // The old one follows it, and nobody is told of the spool any more.
    assert.equal(await cluster.primary({ standbys: 1 }), next);
    assert.equal(await cluster.value(next, "SHOW restore_command"), "");
    old = next;
  }
});

async function freezeSenders(dataDir: string): Promise<void> {
  const senders = findServerProcesses(dataDir)
    .map(({ pid }) => pid)
    .filter((pid) => /wal ?sender/.test(readCommandLine(pid).join(" ")));
  assert.equal(senders.length, 1);
  for (const pid of senders) process.kill(pid, "SIGSTOP");
  assert.ok(await untilStandsStill(senders));
}

function dataOf(cluster: PodAgents, member: string): string {
  return pathsOf(cluster, member).data;
}

function eventsOf(cluster: PodAgents, member: string) {
  return readJournal(pathsOf(cluster, member).events);
}

function pathsOf(cluster: PodAgents, member: string) {
  return memberPaths(join(cluster.place(member), "cluster"), member);
}
