// What single members are for: who never leads unless it is named, and who is not read from.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { TestCluster, memberOf } from "../support/local-cluster.ts";
import { urlOf } from "./cluster-facts.ts";

describe("members with a task of their own", () => {
  let cluster: TestCluster;

  before(async () => {
    cluster = await TestCluster.up(15, { standbys: 2 });
    await cluster.ok(["member", "set", "t-2", "nofailover=true"]);
    await cluster.ok(["member", "set", "t-3", "noreads=true"]);
  });

  after(async () => {
    await cluster[Symbol.asyncDispose]();
  });

  it("one that takes no reads is not in the read URL nor asked by sql --read, and status says so", async () => {
    const status = await cluster.untilHealthy();
    const portOf = (name: string) => memberOf(status, name).port;
    for (const url of [await urlOf(cluster, ["url", "--read"]), status.endpoints.read]) {
      assert.ok(!url.includes(`:${portOf("t-3")}`), url);
      assert.ok(url.includes(`:${portOf("t-2")},127.0.0.1:${portOf("t-1")}/`), url);
    }
    assert.ok(status.endpoints.write.includes(`:${portOf("t-3")}`));
    assert.deepEqual(memberOf(status, "t-3").settings, { noreads: "true" });
    const rows = JSON.parse(await cluster.ok(["sql", "--read", "SHOW port"]));
    assert.deepEqual(rows, [{ port: String(portOf("t-2")) }]);
  });

  it("one that is not to lead is passed over by an election, and by a switchover without a name", async () => {
    const { term } = await cluster.status();
    await cluster.killMember("t-1");
    const later = await cluster.until(
      "another leads",
      (now) => now.term > term && now.primary !== null,
    );
    assert.equal(later.primary, "t-3");
    await cluster.ok(["up"]);
    await cluster.untilHealthy();
    await cluster.ok(["switchover"]);
    assert.equal((await cluster.untilHealthy()).primary, "t-1");
  });

  it("where nobody else is left a switchover is refused with the reasons, and done for a name", async () => {
    await cluster.untilHealthy();
    await cluster.ok(["member", "set", "t-3", "nofailover=true"]);
    const { status, error } = await cluster.fails(["switchover"]);
    assert.deepEqual([status, error.code], [4, "SWITCHOVER_REFUSED"]);
    assert.match(error.message, /t-2 is set nofailover, t-3 is set nofailover$/);
    await cluster.ok(["switchover", "--to", "t-2"]);
    assert.equal((await cluster.untilHealthy()).primary, "t-2");
  });
});
