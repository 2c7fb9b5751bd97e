import assert from "node:assert/strict";
import { test } from "node:test";
import { parseLsn } from "../../core/lsn.ts";
import { SyncKeeping } from "./sync-keeping.ts";

test("what was flushed before commits were proven to wait is confirmed anew", () => {
  const mark = { key: "1 of demo-2", lsn: parseLsn("0/3000060") };
  for (const prove of [
    (sync: SyncKeeping) => sync.settled(),
    (sync: SyncKeeping) => sync.bound(),
    (sync: SyncKeeping) => sync.begin({ term: 1, timeline: 1 }),
  ]) {
    const sync = new SyncKeeping();
    sync.mark = mark;
    prove(sync);
    assert.equal(sync.mark, null);
  }
});
