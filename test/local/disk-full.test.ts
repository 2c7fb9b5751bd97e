// A disk that is full: of a primary alone, whose part a standby takes when PostgreSQL ends for it,
// and of the whole cluster, store and journals included. Each comes back by itself.
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Client } from "pg";
import { AppWriter, connectAsLibpq } from "../support/app-writer.ts";
import { eventually } from "../support/eventually.ts";
import { TestCluster, memberOf } from "../support/local-cluster.ts";
import { SmallDisk } from "../support/member-disk.ts";
import { MountNamespace } from "../support/mount-namespace.ts";
import { fillDisk, fillLastPages } from "../support/small-disk.ts";
import { addLeader, assertAllRows, memberUrl, writeUrl } from "./cluster-facts.ts";

describe("a disk that is full", () => {
  it("of a primary is named; a standby takes over when it ends, and it comes back when there is room", async () => {
    await using space = await MountNamespace.open();
    await using cluster = await TestCluster.up(15, { standbys: 1, within: space.enter });
    await using disk = await SmallDisk.mount({ space, cluster }, { member: "t-3", megabytes: 250 });
    const { term } = await addLeader(cluster, "t-3");
    await using writer = await AppWriter.start(await writeUrl(cluster));
    await writer.hasWritten(50);
    // One that is under way would end the server before WAL does, so that it recovers in its place.
    await cluster.ok(["sql", "CHECKPOINT", "--as-superuser"]);
    await using filler = await Filler.connect(await memberUrl(cluster, "t-3"));
    const ballast = space.seen(join(disk.path, "ballast"));
    fillDisk(ballast);
    const seen = await cluster.until("it is named", ({ state }) => state === "degraded");
    assert.equal(memberOf(seen, "t-3").state, "failed");
    assert.match(memberOf(seen, "t-3").reason ?? "", /^its disk is full: \d+ MiB are free for /);

    await filler.writeUntilItEnds();
    const later = await cluster.until("another member leads", (status) => {
      return status.term > term && status.primary !== null;
    });
    assert.notEqual(later.primary, "t-3");
    await writer.hasWritten(50);
    const waiting = memberOf(await cluster.status(), "t-3");
    assert.match(waiting.warnings.join(), /its disk is full/);
    // Where its last words go, too: no process of ours may end of what it cannot say.
    const { agentLog, agentOutput, events } = cluster.paths("t-3");
    fillLastPages([agentLog, agentOutput, events].map((path) => space.seen(path)));
    const agent = cluster.agentPid("t-3");
    await cluster.kill(agent);
    await cluster.until("another agent of it runs, though nothing can be written", (status) => {
      const { state, warnings } = memberOf(status, "t-3");
      return state !== "unreachable" && warnings.some((text) => /its disk is full/.test(text));
    });
    assert.notEqual(cluster.agentPid("t-3"), agent);
    await rm(ballast);
    const status = await cluster.untilHealthy();
    assert.equal(memberOf(status, "t-3").state, "streaming");
    await assertAllRows(cluster, await writer.stop());
  });

  it("for everything, record and journals too, loses nothing, and the cluster comes back when there is room", async () => {
    await using space = await MountNamespace.open();
    await using cluster = await TestCluster.reserve(15, { within: space.enter });
    const root = dirname(cluster.dir);
    await space.asRoot(`mount -t tmpfs -o size=500m,mode=0755 tmpfs "${root}"`);
    if (process.getuid?.() !== 0) await space.asRoot(`chmod 777 "${root}"`);
    await cluster.ok(cluster.upArgs({ standbys: 1 }));
    await cluster.untilHealthy();
    await using writer = await AppWriter.start(await writeUrl(cluster));
    await writer.hasWritten(50);
    await using filler = await Filler.connect(await memberUrl(cluster, "t-1"));
    const ballast = space.seen(join(root, "ballast"));
    fillDisk(ballast);
    await filler.writeUntilItEnds();
    await eventually("no write is taken", async () => {
      const before = writer.acknowledged.length;
      await eventually("a while", async () => (await cluster.run(["status"])).status !== null);
      return writer.acknowledged.length === before;
    });
    await rm(ballast);
    await cluster.untilHealthy();
    await writer.hasWritten(50);
    await assertAllRows(cluster, await writer.stop());
    await cluster.ok(["down", "--delete", "--yes"]);
    await space.asRoot(`umount "${root}"`);
  });
});

/**
 * Messages in the WAL alone, so that the next segment is what finds no room. Connected before the
 * disk is full: a server whose cache files are to be written anew then lets nobody in any more, and
 * goes on.
 */
class Filler implements AsyncDisposable {
  readonly #client: Client;
  #isConnected = true;

  private constructor(client: Client) {
    this.#client = client;
    client.on("error", () => (this.#isConnected = false));
    client.on("end", () => (this.#isConnected = false));
  }

  static async connect(url: string): Promise<Filler> {
    return new Filler(await connectAsLibpq(url));
  }

  async writeUntilItEnds(): Promise<void> {
    while (this.#isConnected)
      await this.#client
        .query("SELECT pg_logical_emit_message(true, 'fill', repeat('x', 1000000))")
        .catch(() => delay(20));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.end().catch(() => {});
  }
}
