// Two members that each began a timeline of the same number at the same position, with different
// rows on it: nothing on their disks tells the two apart (lesson 19), and whoever took one for the
// other would lose what was acknowledged without a word.
import assert from "node:assert/strict";
import { readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { withClient } from "../support/app-writer.ts";
import { eventually } from "../support/eventually.ts";
import { TestCluster } from "../support/local-cluster.ts";
import { memberUrl, writeUrl } from "./cluster-facts.ts";

test("a timeline that has the same number and start but another leader's term is set aside, not followed", async () => {
  await using cluster = await TestCluster.up(15, { standbys: 1 });
  await insert(cluster, "before both forks");

  // t-2 takes over, and acknowledges a row that t-1 never gets.
  await cluster.killMember("t-1");
  await cluster.until("t-2 leads", ({ primary }) => primary === "t-2");
  await insert(cluster, "on the fork of t-2");

  // t-2 dies with its disk. t-1, which knows nothing of all that, does not take over by itself.
  await cluster.killMember("t-2");
  const { root, kept } = cluster.paths("t-2");
  const elsewhere = join(cluster.dir, "disk-of-t-2");
  await rename(root, elsewhere);
  const up = await cluster.run(["up"]);
  assert.match(up.stderr, /t-2 cannot lead/);
  await cluster.ok(["failover", "--to", "t-1", "--accept-loss", "--yes"]);
  await insert(cluster, "on the fork of t-1");

  // The disk of t-2 is back: what it holds must end in kept/, and its data be a copy of t-1.
  await cluster.ok(["down"]);
  await rm(root, { recursive: true });
  await rename(elsewhere, root);
  await cluster.ok(["up"]);
  const rows = ["before both forks", "on the fork of t-1"];
  await eventually("t-2 has the rows of its primary and no others", async () => {
    const found = await withClient(await memberUrl(cluster, "t-2"), async (client) => {
      const answer = await client.query<{ text: string }>("SELECT text FROM forked ORDER BY text");
      return answer.rows.map(({ text }) => text);
    });
    assert.deepEqual(found, rows);
    return true;
  });
  assert.equal((await readdir(kept)).length, 1);
  assert.match(
    await cluster.ok(["events"]),
    /t-2 is on another timeline 3 than that in the history/,
  );
});

async function insert(cluster: TestCluster, text: string): Promise<void> {
  const url = await eventually("a primary to write to", () => writeUrl(cluster));
  await withClient(url, async (client) => {
    await client.query("CREATE TABLE IF NOT EXISTS forked (text text)");
    await client.query("INSERT INTO forked VALUES ($1)", [text]);
  });
}
