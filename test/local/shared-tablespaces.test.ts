// A tablespace that was made while standbys stream: on one machine each member then writes into the
// same directory.
import assert from "node:assert/strict";
import { chown, mkdir, readFile, stat } from "node:fs/promises";
import { describe, it } from "node:test";
import type { Client } from "pg";
import { withAdminSession } from "../../src/local/admin-session.ts";
import { openCluster } from "../../src/local/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { TestCluster } from "../support/local-cluster.ts";
import { hasNoLag } from "./cluster-facts.ts";

describe("a tablespace that members share", () => {
  it("is warned of, and no other member is promoted on it until it is gone", async () => {
    await using cluster = await TestCluster.up(15, { standbys: 1 });
    const opened = await openCluster({ name: cluster.name, dir: cluster.dir });
    const asSuperuser = (use: (client: Client) => Promise<unknown>) =>
      withAdminSession(opened, use);
    const place = `${cluster.dir}/elsewhere`;
    const { uid, gid } = await stat(cluster.paths("t-1").data);
    await mkdir(place, { mode: 0o700 });
    await chown(place, uid, gid);
    await asSuperuser((client) => client.query(`CREATE TABLESPACE apart LOCATION '${place}'`));
    const warned = await cluster.until("it is warned of", ({ warnings }) =>
      warnings.some((text) => /t-1, t-2 share the directory of tablespace \d+/.test(text)),
    );
    assert.ok(
      warned.warnings.some((text) => /overwrite each other's files.*DROP TABLESPACE/.test(text)),
    );
    for (const args of [
      ["switchover", "--dry-run"],
      ["switchover", "--to", "t-2"],
    ]) {
      const { status, error } = await cluster.fails(args);
      assert.deepEqual([status, error.code], [4, "SWITCHOVER_REFUSED"]);
      assert.match(error.message, /share the directory of tablespace/);
      assert.match(error.hint, /allow_in_place_tablespaces/);
    }
    await asSuperuser((client) => client.query("DROP TABLESPACE apart"));
    await cluster.until("the warning is gone", ({ warnings }) =>
      warnings.every((text) => !/tablespace/.test(text)),
    );
    await cluster.ok(["param", "set", "allow_in_place_tablespaces=on"]);
    await asSuperuser((client) => client.query("CREATE TABLESPACE within LOCATION ''"));
    const { warnings } = await cluster.until("the standby has everything", hasNoLag);
    assert.ok(warnings.every((text) => !/tablespace/.test(text)));
    await cluster.ok(["switchover", "--to", "t-2"]);
    await cluster.untilHealthy();
  });

  it("keeps a failover from being done, by itself and by hand", async () => {
    await using cluster = await TestCluster.up(15, { standbys: 1 });
    const opened = await openCluster({ name: cluster.name, dir: cluster.dir });
    const place = `${cluster.dir}/elsewhere`;
    const { uid, gid } = await stat(cluster.paths("t-1").data);
    await mkdir(place, { mode: 0o700 });
    await chown(place, uid, gid);
    await withAdminSession(opened, (client) =>
      client.query(`CREATE TABLESPACE apart LOCATION '${place}'`),
    );
    await cluster.until("it is warned of", ({ warnings }) =>
      warnings.some((text) => text.includes("t-1, t-2 share the directory of tablespace")),
    );
    await cluster.killMember("t-1");
    await eventually("t-2 says why it does not take over", async () =>
      /no standby may take over: .*share the directory of tablespace/.test(
        await readFile(cluster.paths("t-2").agentLog, "utf8"),
      ),
    );
    assert.equal((await cluster.status()).primary, null);
    const { error } = await cluster.fails(["failover", "--yes"]);
    assert.equal(error.code, "FAILOVER_REFUSED");
    assert.match(error.message, /share the directory of tablespace/);
  });
});
