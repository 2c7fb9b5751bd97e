// A standby's disk that is too small for the copy: a small tmpfs is its whole directory, so that
// the primary's disk stays as it is.
import assert from "node:assert/strict";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { TestCluster, memberOf } from "../support/local-cluster.ts";
import { SmallDisk } from "../support/member-disk.ts";
import { MountNamespace } from "../support/mount-namespace.ts";

describe("a disk that fills during a base backup", () => {
  it("is named, leaves the primary alone, and the copy succeeds by itself when there is room", async () => {
    await using space = await MountNamespace.open();
    await using cluster = await TestCluster.up(15, { standbys: 0, within: space.enter });
    await using disk = await SmallDisk.mount({ space, cluster }, { member: "t-2", megabytes: 30 });
    await cluster.ok(["standby", "add", "t-2", "--no-wait"]);
    const seen = await untilFailed(cluster, "t-2");
    assert.match(
      memberOf(seen, "t-2").reason ?? "",
      new RegExp(
        `^cannot copy the primary to .*: the file system ${disk.path} \\(tmpfs\\) has \\d+ MiB free, and the copy needs about \\d+ MiB$`,
      ),
    );
    assert.equal(seen.state, "degraded");
    assert.equal(memberOf(seen, "t-1").state, "running");
    await cluster.ok(["sql", "CREATE TABLE goes_on AS SELECT 1 AS one"]);

    await disk.grow(400);
    await cluster.untilHealthy();
    const read = await cluster.ok(["sql", "SELECT one FROM goes_on", "--member", "t-2"]);
    assert.match(read, /1/);
  });

  it("is named too where other files take the room, and what was begun is never started", async () => {
    await using space = await MountNamespace.open();
    await using cluster = await TestCluster.up(15, { standbys: 0, within: space.enter });
    await using disk = await SmallDisk.mount({ space, cluster }, { member: "t-2", megabytes: 300 });
    const ballast = space.seen(join(disk.path, "ballast"));
    await writeFile(ballast, Buffer.alloc(280 * 1024 * 1024));
    await cluster.ok(["standby", "add", "t-2", "--no-wait"]);
    const seen = await untilFailed(cluster, "t-2");
    assert.match(memberOf(seen, "t-2").reason ?? "", /\(tmpfs\) has \d+ MiB free/);
    assert.deepEqual(cluster.serverPids("t-2"), []);
    await rm(ballast);
    await cluster.untilHealthy();
  });
});

function untilFailed(cluster: TestCluster, member: string) {
  return cluster.until(`${member} has failed`, (status) =>
    status.members.some(({ name, state }) => name === member && state === "failed"),
  );
}
