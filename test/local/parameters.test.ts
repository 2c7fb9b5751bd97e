// Parameters that pass every check and with which no server starts here, and getting rid of one
// without a server.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TestCluster, memberOf } from "../support/local-cluster.ts";

/**
 * More than any machine has, and less than PostgreSQL's own limit. In huge pages, because a kernel
 * that was told to grant all memory that is asked for (vm.overcommit_memory 1) grants also this.
 */
const TOO_MUCH = ["shared_buffers=4TB", "huge_pages=on"];

describe("a value with which a server does not start", () => {
  it("is taken back after the first member has failed, and the primary is never restarted", async () => {
    await using cluster = await TestCluster.up(15, { standbys: 1 });
    await cluster.ok(["param", "set", "shared_buffers=24MB", "huge_pages=try"]);
    const earlier = await cluster.untilHealthy();
    // PostgreSQL never forgets that the last one was to change, which was in no file before.
    const set = [...TOO_MUCH, "work_mem=9MB", "max_files_per_process=999"];
    const { status, error } = await cluster.fails(["param", "set", ...set]);
    assert.deepEqual([status, error.code], [1, "START_FAILED"]);
    assert.match(
      error.message,
      /^t-2 does not come up again: .*the earlier values were written back/,
    );
    const later = await cluster.untilHealthy();
    assert.equal(memberOf(later, "t-1").pid, memberOf(earlier, "t-1").pid);
    const shown: { name: string; value: string; pendingRestart: string[] }[] = JSON.parse(
      await cluster.ok(["param", "show", "max_files_per_process", "shared_buffers", "work_mem"]),
    );
    assert.deepEqual(
      shown.map(({ name, value, pendingRestart }) => [name, value, pendingRestart]),
      [
        ["max_files_per_process", "1000", []],
        ["shared_buffers", "24MB", []],
        ["work_mem", "4MB", []],
      ],
    );
  });

  it("can be reset while nothing runs, and the cluster comes up", async () => {
    await using cluster = await TestCluster.up(15, { standbys: 1 });
    await cluster.ok(["param", "set", ...TOO_MUCH, "--no-wait"]);
    await cluster.ok(["down"]);
    const up = await cluster.fails(["up", "--timeout", "120s"]);
    assert.equal(up.error.code, "START_FAILED");
    await cluster.ok(["down"]);
    const unset = await cluster.fails(["param", "set", "work_mem=9MB"]);
    assert.equal(unset.error.code, "CLUSTER_NOT_RUNNING");
    const unknown = await cluster.fails(["param", "set", "--reset", "shared_bufers"]);
    assert.equal(unknown.error.code, "PARAMETER_UNKNOWN");
    assert.match(unknown.error.message, /did you mean shared_buffers\?/);
    await cluster.ok(["param", "set", "--reset", "shared_buffers", "--reset", "huge_pages"]);
    await cluster.ok(["up"]);
    await cluster.untilHealthy();
  });
});
