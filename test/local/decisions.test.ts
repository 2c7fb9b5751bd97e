// What is kept of every change of hands: who decided, by which rule, how far each member was, for
// how long nobody could write, and what is lost; and the limit beyond which only a person decides.
import assert from "node:assert/strict";
import { rename } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Entry } from "../../src/agent/journal.ts";
import { openCluster, readRecord } from "../../src/local/cluster.ts";
import { lsnDistance, parseLsn } from "../../src/core/lsn.ts";
import { AppWriter } from "../support/app-writer.ts";
import { eventually } from "../support/eventually.ts";
import { TestCluster, memberOf } from "../support/local-cluster.ts";
import { cutOff } from "./crash-failover.ts";
import { hasNoLag, writeUrl } from "./cluster-facts.ts";

const LIMIT_BYTES = 4096;

interface MemberAtChoice {
  readonly name: string;
  readonly lsn: string | null;
  readonly chosen: boolean;
  readonly why: string | null;
}

describe("the record of a change of hands", () => {
  let cluster: TestCluster;

  before(async () => {
    cluster = await TestCluster.up(15, { standbys: 2 });
  });

  after(async () => {
    await cluster[Symbol.asyncDispose]();
  });

  async function events(): Promise<Entry[]> {
    return JSON.parse(await cluster.ok(["events", "--lines", "1000"]));
  }

  async function last(name: string): Promise<Entry & { details: Record<string, unknown> }> {
    const found = (await events()).findLast(({ event }) => event === name);
    assert.ok(found !== undefined, `there is no event ${name}`);
    return { ...found, details: { ...found.details } };
  }

  it("tells of an election who won, where everybody stood, and for how long nobody could write", async () => {
    const { primary, term } = await cluster.until("nobody lags", hasNoLag);
    assert.ok(primary !== null);
    await cluster.kill(...cluster.serverPids(primary));
    const later = await cluster.until(
      "another leads",
      (now) => now.term > term && now.primary !== null,
    );
    const elected = await last("elected");
    assert.equal(elected.rule, "stand-for-election");
    assert.equal(elected.details["decidedBy"], later.primary);
    assert.deepEqual([elected.details["lostBytes"], elected.details["lostTransactions"]], [0, 0]);
    const members = membersOf(elected);
    assert.deepEqual(members.map(({ name }) => name).toSorted(), ["t-1", "t-2", "t-3"]);
    for (const { name, lsn, chosen, why } of members) {
      assert.match(lsn ?? "", /^[0-9A-F]+\/[0-9A-F]+$/, name);
      assert.deepEqual([chosen, why === null], [name === later.primary, name === later.primary]);
    }
    await eventually("the promotion is among the events", async () => {
      const promoted = await last("promoted");
      return promoted.details["term"] === later.term ? promoted : null;
    }).then(assertPause);
    await cluster.untilHealthy();
  });

  it("tells of a switchover by whose word it was done", async () => {
    await cluster.ok(["switchover"]);
    const promoted = await last("promoted");
    const ended = promoted.details["ended"] as { rule: string };
    assert.equal(ended.rule, "switchover-on-request");
    assertPause(promoted);
    await cluster.untilHealthy();
  });

  it("tells when applications are let in for how long nobody could write, with synchronous replication", async () => {
    await cluster.ok(["config", "set", "sync=on"]);
    const { term, primary } = await cluster.until("commits wait for a standby", (now) => {
      return now.state === "healthy" && now.sync.guarantee !== null;
    });
    assert.ok(primary !== null);
    await cluster.kill(...cluster.serverPids(primary));
    await cluster.until("another leads", (now) => now.term > term && now.state === "healthy");
    const [promoted, opened] = [await last("promoted"), await last("opened")];
    assert.equal(promoted.details["secondsWithoutPrimary"], null, promoted.message);
    assert.match(promoted.message, /it takes applications when standbys have all that it has/);
    assert.equal(opened.details["term"], promoted.details["term"]);
    assertPause(opened);
    await cluster.ok(["config", "set", "sync=off"]);
    await cluster.until("no commit waits", ({ sync }) => sync.guarantee === null);
    await cluster.untilHealthy();
  });

  it("names only rules that can be explained", async () => {
    const rules = new Set(
      (await events()).flatMap(({ rule }) => (rule === undefined ? [] : [rule])),
    );
    assert.ok(rules.size > 3);
    for (const rule of rules) await cluster.ok(["explain", rule]);
  });

  it("beyond maximumLag nobody takes over by itself, and a person does, knowing what is lost", async () => {
    const { primary, term } = await cluster.until("nobody lags", hasNoLag);
    assert.ok(primary !== null);
    await cluster.ok(["config", "set", `maximumLag=${LIMIT_BYTES}`]);
    const standbys = ["t-1", "t-2", "t-3"].filter((name) => name !== primary);
    await using writer = await AppWriter.start(await writeUrl(cluster));
    await cluster.ok(["pause"]);
    const release = await cutOff(cluster, standbys);
    // No standby has more than the primary had when they were cut off.
    const { writeLsn: cutAt } = memberOf(await cluster.status(), primary);
    assert.ok(cutAt !== null);
    await writer.hasWritten(300);
    const opened = await openCluster({ name: cluster.name, dir: cluster.dir });
    await eventually("the primary has told of more than the limit with its renewals", async () => {
      const told = (await readRecord(opened)).leader?.lsn ?? null;
      if (told === null) return false;
      return lsnDistance({ from: parseLsn(cutAt), to: parseLsn(told) }) > 4 * LIMIT_BYTES;
    });
    await cluster.killMember(primary);
    await writer.stop();
    const { data } = cluster.paths(primary);
    const elsewhere = join(cluster.dir, "disk-of-the-primary");
    await rename(data, elsewhere);
    await release();
    await cluster.ok(["resume"]);
    const refusal = await eventually("a standby says why it does not take over", async () => {
      const found = (await events()).findLast(({ event }) => event === "failover-refused");
      return found ?? null;
    });
    assert.match(refusal.message, /lacks \d+ bytes of what t-\d wrote, and maximumLag is 4kB/);
    assert.equal((await cluster.status()).term, term);

    const refused = await cluster.fails(["failover", "--yes"]);
    assert.equal(refused.error.code, "FAILOVER_REFUSED");
    assert.match(refused.error.message, /at least \d+ bytes are lost, with about \d+ committed/);
    assert.match(refused.error.hint, /--accept-loss$/);
    const { to } = JSON.parse(await cluster.ok(["failover", "--accept-loss", "--yes"]));
    const decided = await last("failover-decided");
    assert.equal(decided.rule, "failover-on-request");
    assert.equal(decided.details["to"], to);
    assert.ok(Number(decided.details["lossBytes"]) > LIMIT_BYTES);
    assert.equal(membersOf(decided).find(({ chosen }) => chosen)?.name, to);
    const promoted = await last("promoted");
    assertPause(promoted);

    await rename(elsewhere, data);
    await cluster.ok(["up"]);
    await cluster.untilHealthy();
    await cluster.ok(["config", "set", "--reset", "maximumLag"]);
  });
});

function membersOf(entry: { details: Record<string, unknown> }): MemberAtChoice[] {
  return entry.details["members"] as MemberAtChoice[];
}

function assertPause({ details }: { details: Record<string, unknown> }): void {
  const seconds = Number(details["secondsWithoutPrimary"]);
  assert.ok(seconds > 0 && seconds < 120, `${seconds} s without a primary`);
}
