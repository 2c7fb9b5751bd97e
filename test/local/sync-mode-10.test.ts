// The oldest PostgreSQL, with npm's three programs: quorum commit is there, pg_rewind is not.
import { after, before, describe, it } from "node:test";
import { TestCluster } from "../support/local-cluster.ts";
import { losesDisk, switchedOff, switchedOn } from "./sync-mode.ts";

describe("PostgreSQL 10, synchronous replication", () => {
  let cluster: TestCluster;
  before(async () => {
    cluster = await TestCluster.up(10);
  });
  after(() => cluster[Symbol.asyncDispose]());

  it("comes into force under load, and status tells", () => switchedOn(cluster));
  it("loses nothing with the primary and its disk", () => losesDisk(cluster));
  it("ends under load as it began", () => switchedOff(cluster));
});
