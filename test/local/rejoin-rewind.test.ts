// A former primary that diverged is rewound in place where that is possible, and copied anew where
// it is not or where the rewind does not come to its end (lessons 26 and 27).
import assert from "node:assert/strict";
import { readFile, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { markerPath } from "../../src/postgres/base-backup/marker.ts";
import { findServerProcesses } from "../../src/postgres/processes.ts";
import { withClient } from "../support/app-writer.ts";
import { isAlive } from "../support/cluster-processes.ts";
import { eventually } from "../support/eventually.ts";
import { installationFor } from "../support/installations.ts";
import { TestCluster, memberOf } from "../support/local-cluster.ts";
import { RewindWrapper } from "../support/rewind-wrapper.ts";
import { assertRejoined, divergedPrimary, eventsOf, newReport } from "./diverged-primary.ts";
import { superuserUrl } from "./server-facts.ts";

describe("PostgreSQL 15, a former primary that has diverged", () => {
  let wrapper: RewindWrapper;
  let cluster: TestCluster;
  before(async () => {
    wrapper = await RewindWrapper.make(await installationFor(15));
    cluster = await TestCluster.reserve(wrapper.installation);
    await cluster.ok(cluster.upArgs({ standbys: 1 }));
  });
  after(async () => {
    await cluster[Symbol.asyncDispose]();
    await wrapper[Symbol.asyncDispose]();
  });

  it("finds the rights of the role that reads for it, which a person had taken away", () =>
    hasRights(cluster));
  it("is rewound in place, and what only it had is kept with a report", () =>
    isRewound(cluster, wrapper));
  it("is copied anew when the rewind fails", () => isCopiedAfterFailure(cluster, wrapper));
  it("is copied anew when it does not start after the rewind", () =>
    isCopiedWhenSpoiled(cluster, wrapper));
  it("is copied anew when WAL that it needs is gone", () => isCopiedWithoutWal(cluster, wrapper));
  it("is never started half rewound: its agent killed in the middle, it is copied anew", () =>
    isCopiedAfterKill(cluster, wrapper));
});

async function hasRights(cluster: TestCluster): Promise<void> {
  const { primary } = await cluster.untilHealthy();
  assert.ok(primary !== null);
  const url = (await superuserUrl(cluster, primary)).replace("template1", "postgres");
  await withClient(url, async (client) => {
    const role = "understudy_rewind";
    const one = "pg_catalog.pg_read_binary_file(text)";
    await client.query(`REVOKE EXECUTE ON FUNCTION ${one} FROM ${role}`);
    await client.query(`REVOKE pg_checkpoint FROM ${role}`);
    const both = `SELECT has_function_privilege('${role}', '${one}', 'EXECUTE')
                     AND pg_has_role('${role}', 'pg_checkpoint', 'MEMBER') AS has`;
    await eventually("it has them again", async () => (await client.query(both)).rows[0]?.has);
  });
}

async function isRewound(cluster: TestCluster, wrapper: RewindWrapper): Promise<void> {
  await wrapper.set("real");
  await using diverged = await divergedPrimary(cluster);
  const { old, lost, directory } = diverged;
  const earlier = (await eventsOf(cluster, old)).length;
  await cluster.ok(["up"]);
  await assertRejoined(cluster, diverged);
  const { data, settings } = cluster.paths(old);
  assert.ok(await directory.isAt(data), "it was not copied anew");
  const events = (await eventsOf(cluster, old)).slice(earlier);
  assert.ok(events.includes("diverged-wal-kept") && events.includes("rewound"), events.join());
  assert.ok(!events.includes("cloned") && !events.includes("data-set-aside"), events.join());
  const other = ["t-1", "t-2"].find((name) => name !== old);
  const slots = await readdir(join(data, "pg_replslot"));
  const kept = `understudy_${other?.replace("-", "_")}`;
  assert.ok(
    slots.every((slot) => slot === kept),
    `${slots.join()}: a slot of its former life`,
  );
  await assert.rejects(readFile(join(settings, "rewind-passfile")), { code: "ENOENT" });

  const { place, report } = await newReport(cluster, diverged);
  assert.deepEqual([report.member, report.timeline + 1], [old, report.primaryTimeline]);
  assert.ok(report.bytes > lost.length * 50, `${report.bytes} bytes are too few`);
  const { transactions } = report;
  assert.ok(transactions !== null && transactions.incomplete === null, String(transactions));
  // One each; beside them there may be one that was cut off before its answer.
  assert.ok(transactions.commits >= lost.length, `${transactions.commits} of ${lost.length}`);
  assert.ok(transactions.commits <= lost.length + 5, `${transactions.commits} of ${lost.length}`);
  const { firstCommit, lastCommit } = transactions;
  assert.ok(firstCommit !== null && lastCommit !== null && firstCommit.xid < lastCommit.xid);
  assert.ok(Date.parse(firstCommit.at) < Date.parse(lastCommit.at));
  assert.ok((transactions.relations[0]?.records ?? 0) >= lost.length, "the table of the rows");
  const wal = await readdir(join(place, "wal"));
  assert.ok(wal.includes("pg_control") && wal.some((name) => /^[0-9A-F]{24}$/.test(name)));
}

async function isCopiedAfterFailure(cluster: TestCluster, wrapper: RewindWrapper): Promise<void> {
  await wrapper.set("fail");
  await using diverged = await divergedPrimary(cluster);
  const { old, lost, directory } = diverged;
  const earlier = (await eventsOf(cluster, old)).length;
  await cluster.ok(["up"]);
  await assertRejoined(cluster, diverged);
  assert.equal(await directory.isAt(cluster.paths(old).data), false, "it was copied anew");
  const events = (await eventsOf(cluster, old)).slice(earlier);
  assert.ok(events.includes("rewind-failed") && events.includes("cloned"), events.join());
  assert.match(
    await cluster.ok(["events"]),
    /could not be rewound: pg_rewind ended with 1: .*asked/,
  );
  const { report } = await newReport(cluster, diverged);
  assert.ok((report.transactions?.commits ?? 0) >= lost.length);
}

async function isCopiedWhenSpoiled(cluster: TestCluster, wrapper: RewindWrapper): Promise<void> {
  await wrapper.set("spoil");
  await using diverged = await divergedPrimary(cluster);
  const { old, directory } = diverged;
  const earlier = (await eventsOf(cluster, old)).length;
  await cluster.ok(["up"]);
  await assertRejoined(cluster, diverged);
  assert.equal(await directory.isAt(cluster.paths(old).data), false, "it was copied anew");
  const events = (await eventsOf(cluster, old)).slice(earlier);
  const expected = ["diverged-wal-kept", "rewound", "rewind-failed", "rewind-unfinished", "cloned"];
  assert.deepEqual(
    events.filter((name) => expected.includes(name)),
    expected,
  );
  await newReport(cluster, diverged);
}

async function isCopiedWithoutWal(cluster: TestCluster, wrapper: RewindWrapper): Promise<void> {
  await wrapper.set("real");
  // The end of its WAL lies in another segment, which can be read without the one that is lost.
  const beforeDeath = ["SELECT pg_switch_wal()", "CHECKPOINT"];
  await using diverged = await divergedPrimary(cluster, { beforeDeath });
  const { old, directory } = diverged;
  const { data } = cluster.paths(old);
  const { segment } = await switchPointOf(cluster);
  await rm(join(data, "pg_wal", segment));
  const earlier = (await eventsOf(cluster, old)).length;
  await cluster.ok(["up"]);
  await assertRejoined(cluster, diverged);
  assert.equal(await directory.isAt(data), false, "it was copied anew");
  const events = (await eventsOf(cluster, old)).slice(earlier);
  assert.ok(events.includes("data-set-aside") && !events.includes("rewound"), events.join());
  assert.match(await cluster.ok(["events"]), new RegExp(`${segment} is not there any more`));
}

async function isCopiedAfterKill(cluster: TestCluster, wrapper: RewindWrapper): Promise<void> {
  await wrapper.set("wait");
  await using diverged = await divergedPrimary(cluster);
  const { old, directory } = diverged;
  const { data } = cluster.paths(old);
  const earlier = (await eventsOf(cluster, old)).length;
  const up = cluster.begin(["up"]);
  const running = await eventually("pg_rewind runs", () =>
    findServerProcesses(data).find(({ name }) => name === "pg_rewind"),
  );
  assert.match(await readFile(markerPath(data), "utf8"), /"rewind"/);
  assert.equal(memberOf(await cluster.status(), old).state, "rewinding");
  await cluster.kill(cluster.agentPid(old));
  await up.ended;
  await cluster.ok(["up"]);
  await eventually("the orphaned pg_rewind is ended", () => !isAlive(running.pid));
  await wrapper.set("real");
  await assertRejoined(cluster, diverged);
  assert.equal(await directory.isAt(data), false, "it was copied anew");
  const events = (await eventsOf(cluster, old)).slice(earlier);
  assert.ok(events.includes("rewind-unfinished") && events.includes("cloned"), events.join());
  assert.ok(!events.includes("rewound"), events.join());
  await newReport(cluster, diverged);
}

/** Where the present primary left its parent, and in which of the parent's segments. */
async function switchPointOf(cluster: TestCluster): Promise<{ segment: string }> {
  const [row] = JSON.parse(
    await cluster.ok([
      "sql",
      "--as-superuser",
      `SELECT timeline_id AS timeline, pg_read_file('pg_wal/' ||
         lpad(upper(to_hex(timeline_id)), 8, '0') || '.history') AS history
         FROM pg_control_checkpoint()`,
    ]),
  );
  const last = String(row.history).trim().split("\n").at(-1) ?? "";
  const [, timeline = "", high = "", low = ""] =
    /^(\d+)\s+([0-9A-F]+)\/([0-9A-F]+)/.exec(last) ?? [];
  const number = Math.floor(Number.parseInt(low, 16) / (16 * 1024 * 1024));
  const parts = [Number(timeline), Number.parseInt(high, 16), number];
  return {
    segment: parts.map((part) => part.toString(16).toUpperCase().padStart(8, "0")).join(""),
  };
}
