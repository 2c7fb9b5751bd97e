// A standby that stood still while another took over and died: it takes the WAL of that one's
// timeline from the disk. From before that on it streams from nobody: whoever it was pointed at may
// have begun another timeline of that number (lesson 19).
import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import type { Major } from "../../src/core/spec.ts";
import { AppWriter } from "../support/app-writer.ts";
import { freezeMember } from "../support/frozen-member.ts";
import { TestCluster } from "../support/local-cluster.ts";
import { assertAllRows, writeUrl } from "./cluster-facts.ts";

/** Up to 12 only a restart has a server leave its upstream. */
const LEFT: ReadonlyMap<Major, RegExp> = new Map([
  [12, /received fast shutdown request/],
  [15, /parameter "primary_conninfo" (?:changed to ""|removed from configuration file)/],
]);

for (const [major, left] of LEFT)
  it(`PostgreSQL ${major}: WAL of a timeline that it missed is replayed by a standby that streams from nobody`, async () => {
    await using cluster = await TestCluster.up(major);
    const still = await freezeMember(cluster, "t-3");
    await cluster.killMember("t-1");
    await cluster.until("t-2 leads", ({ primary }) => primary === "t-2");
    await using writer = await AppWriter.start(await writeUrl(cluster));
    await writer.hasWritten(20);
    await cluster.killMember("t-2");
    const acknowledged = await writer.stop();
    still.thaw();
    await cluster.until("t-3 leads", ({ primary }) => primary === "t-3");
    const log = await logOf(cluster, "t-3");
    const promoted = log.indexOf("received promote request");
    assert.ok(promoted > 0);
    assert.match(log.slice(0, promoted), left);
    await cluster.ok(["up"]);
    await cluster.untilHealthy();
    await assertAllRows(cluster, acknowledged);
  });

async function logOf(cluster: TestCluster, member: string): Promise<string> {
  const { logs } = cluster.paths(member);
  const files = (await readdir(logs)).filter((name) => name.startsWith("postgresql"));
  const texts = await Promise.all(
    files.toSorted().map((name) => readFile(join(logs, name), "utf8")),
  );
  return texts.join("");
}
