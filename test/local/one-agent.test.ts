// One data directory, one agent: a second agent of a member, and another member whose path leads to
// the same directory, are refused in one sentence, and nothing that runs is touched.
import assert from "node:assert/strict";
import { rename, rm, symlink } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { ERRORS } from "../../src/core/errors.ts";
import { readJournal } from "../../src/agent/journal.ts";
import { AppWriter } from "../support/app-writer.ts";
import { TestCluster, memberOf } from "../support/local-cluster.ts";
import { assertAllRows, writeUrl } from "./cluster-facts.ts";

describe("a second agent", () => {
  let cluster: TestCluster;
  before(async () => {
    cluster = await TestCluster.up(15);
  });
  after(() => cluster[Symbol.asyncDispose]());

  it("of the same member is refused, and the first one goes on", async () => {
    const first = cluster.agentPid("t-1");
    const refused = await cluster.runAgent("t-1");
    assert.equal(refused.status, ERRORS.MEMBER_IN_USE.exit);
    assert.match(refused.stderr, /^another agent already runs t-1 in \S+\n$/);
    assert.equal(cluster.agentPid("t-1"), first);
  });

  for (const victim of ["t-1", "t-2"])
    it(`whose data directory is that of ${victim} is refused, and ${victim} goes on`, async () => {
      const earlier = await cluster.untilHealthy();
      await using writer = await AppWriter.start(await writeUrl(cluster));
      await cluster.killMember("t-3");
      const { data } = cluster.paths("t-3");
      await rename(data, `${data}.own`);
      await symlink(cluster.paths(victim).data, data);
      const events = await readJournal(cluster.paths("t-3").events);
      const refused = await cluster.runAgent("t-3");
      assert.equal(refused.status, ERRORS.MEMBER_IN_USE.exit);
      assert.match(
        refused.stderr,
        new RegExp(
          `^the data directory of t-3 is that of ${victim} too, which another agent runs \\(process ${cluster.agentPid(victim)}\\): \\S+; nothing was changed\\n$`,
        ),
      );
      const up = await cluster.fails(["up", "--timeout", "120s"]);
      assert.match(up.error.message, new RegExp(`data directory of t-3 is that of ${victim} too`));
      assert.deepEqual(await readJournal(cluster.paths("t-3").events), events);
      await writer.hasWritten(50);

      await rm(data);
      await rename(`${data}.own`, data);
      await cluster.ok(["up"]);
      const later = await cluster.untilHealthy();
      for (const name of ["t-1", "t-2"])
        assert.equal(memberOf(later, name).pid, memberOf(earlier, name).pid, `${name} ran on`);
      assert.equal(later.term, earlier.term);
      await assertAllRows(cluster, await writer.stop());
    });
});
