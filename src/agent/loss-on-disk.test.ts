import assert from "node:assert/strict";
import { test } from "node:test";
import { estimateTransactions } from "./loss-on-disk.ts";

test("in no bytes there are no transactions, and no WAL is read for that", async () => {
  assert.equal(await estimateTransactions("/nowhere", 0), 0);
  assert.equal(await estimateTransactions("/nowhere", 1), null);
});
