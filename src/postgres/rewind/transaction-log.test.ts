import assert from "node:assert/strict";
import { test } from "node:test";
import { TransactionLog } from "./transaction-log.ts";

// As pg_waldump 15 and 10 print them.
const INSERT =
  "rmgr: Heap        len (rec/tot):     59/    59, tx:        735, lsn: 0/03000148, prev 0/03000110, desc: INSERT off 3 flags 0x00, blkref #0: rel 1663/5/16384 blk 0";
const SPLIT =
  "rmgr: Btree       len (rec/tot):   3961/  3961, tx:        735, lsn: 0/03001000, prev 0/03000148, desc: SPLIT_R level 0, blkref #0: rel 1663/5/16390 blk 1, blkref #1: rel 1663/5/16390 blk 2";
const COMMIT =
  "rmgr: Transaction len (rec/tot):     34/    34, tx:        735, lsn: 0/03000188, prev 0/03000148, desc: COMMIT 2026-11-22 16:13:47.123456 UTC";
const COMMIT_OF_DDL =
  "rmgr: Transaction len (rec/tot):    405/   405, tx:        736, lsn: 0/030001B0, prev 0/03000188, desc: COMMIT 2026-11-22 16:13:48.000001 UTC; inval msgs: catcache 55 catcache 54";
const COMMIT_PREPARED =
  "rmgr: Transaction len (rec/tot):     54/    54, tx:          0, lsn: 0/03000350, prev 0/030001B0, desc: COMMIT_PREPARED 740: 2026-11-22 16:13:49.500000 UTC";
const ABORT =
  "rmgr: Transaction len (rec/tot):     34/    34, tx:        737, lsn: 0/03000390, prev 0/03000350, desc: ABORT 2026-11-22 16:13:50.000000 UTC";

function summaryOf(...lines: string[]): ReturnType<TransactionLog["summary"]> {
  const log = new TransactionLog();
  for (const line of lines) log.take(line);
  return log.summary();
}

test("commits are counted, those of prepared transactions too, and aborts are not", () => {
  const found = summaryOf(INSERT, COMMIT, COMMIT_OF_DDL, COMMIT_PREPARED, ABORT);
  assert.equal(found.commits, 3);
  assert.deepEqual(found.firstCommit, { xid: 735, at: "2026-11-22T16:13:47.123456Z" });
  assert.deepEqual(found.lastCommit, { xid: 740, at: "2026-11-22T16:13:49.500000Z" });
});

test("a relation is counted once for each record that touches it, the busiest first", () => {
  assert.deepEqual(summaryOf(INSERT, SPLIT, INSERT).relations, [
    { relation: "1663/5/16384", records: 2 },
    { relation: "1663/5/16390", records: 1 },
  ]);
});

test("no more than twenty relations are listed, and it says that there were more", () => {
  const lines = Array.from({ length: 21 }, (_, at) => INSERT.replace("16384", `${20_000 + at}`));
  const found = summaryOf(...lines);
  assert.equal(found.relations.length, 20);
  assert.equal(found.moreRelations, true);
  assert.equal(summaryOf(...lines.slice(1)).moreRelations, false);
});

test("WAL without a commit has neither a first nor a last", () => {
  const { commits, firstCommit, lastCommit } = summaryOf(ABORT, "");
  assert.deepEqual([commits, firstCommit, lastCommit], [0, null, null]);
});
