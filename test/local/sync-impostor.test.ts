// PostgreSQL knows synchronous standbys by a name that anybody can give (lesson 18). Something that
// streams under a member's name is no member: its connection is ended, and nothing is promised by
// what it has confirmed.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { readSecrets } from "../../src/agent/cluster-file.ts";
import { clusterPaths } from "../../src/agent/member-paths.ts";
import { REPLICATION_ROLE } from "../../src/core/role.ts";
import { AppWriter } from "../support/app-writer.ts";
import { eventually } from "../support/eventually.ts";
import { TestCluster, memberOf } from "../support/local-cluster.ts";
import { assertAllRows, writeUrl } from "./cluster-facts.ts";
import { eventsOf } from "./journal-facts.ts";
import { untilPromised } from "./sync-mode.ts";

it("what streams under the name of a member is ended, whether that member is there or not", async () => {
  await using cluster = await TestCluster.up(15);
  await cluster.ok(["config", "set", "sync=on"]);
  await untilPromised(cluster, 1);
  await using writer = await AppWriter.start(await writeUrl(cluster));
  await streamAs(cluster, "t-3");
  await writer.hasWritten(20);

  await cluster.killMember("t-3");
  await cluster.until("t-3 is in the set no more", ({ sync }) => {
    return sync.guarantee?.members.join() === "t-2";
  });
  await cluster.killMember("t-2");
  // Nobody else can be in the set now: it stays, and the one in it does not count as seen.
  await streamAs(cluster, "t-2");
  const status = await cluster.status();
  assert.deepEqual(status.sync.guarantee, { required: 1, members: ["t-2"] });
  assert.equal(memberOf(status, "t-2").sync, null);
  await cluster.ok(["up"]);
  await untilPromised(cluster, 1);
  await writer.hasWritten(20);
  await assertAllRows(cluster, await writer.stop());
});

/** It receives, writes and confirms all WAL, until its connection is ended. */
async function streamAs(cluster: TestCluster, name: string): Promise<void> {
  const secrets = await readSecrets(clusterPaths(cluster.dir).secrets);
  const dir = await mkdtemp(join(tmpdir(), "understudy-impostor-"));
  const source = `host=127.0.0.1 port=${cluster.port} user=${REPLICATION_ROLE} application_name=${name}`;
  const args = ["--directory", dir, "--dbname", source, "--synchronous", "--no-loop"];
  const ended = async () =>
    (await eventsOf(cluster, "t-1")).filter(({ event }) => event === "impostor-ended").length;
  const before = await ended();
  const impostor = spawn(join(cluster.installation.binDir, "pg_receivewal"), args, {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, PGPASSWORD: secrets.replication.reveal() },
  });
  let said = "";
  impostor.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  try {
    const [status] = await once(impostor, "exit", { signal: AbortSignal.timeout(60_000) });
    assert.equal(status, 1, said);
    await eventually("its end is told", async () => (await ended()) > before);
  } finally {
    impostor.kill("SIGKILL");
    await rm(dir, { recursive: true, force: true });
  }
}
