import assert from "node:assert/strict";
import { test } from "node:test";
import { clusterWith } from "../../../test/support/postgres-clusters.ts";
import { notYet } from "./not-yet.ts";

test("a volume for the WAL alone is refused, with what to do, and nothing else is", () => {
  const claim = { claim: "a", subPath: "" };
  const members = [claim, { claim: "b", wal: { claim: "c" } }];
  const remedy = "leave it out, the WAL is with the data then";
  const why = `a volume of its own for the WAL is not supported yet; ${remedy}`;
  assert.deepEqual(notYet(clusterWith({ storage: undefined, members, standbys: 1 })), [
    `spec.members.1.wal: ${why}`,
  ]);
  const storage = { size: "1Gi", wal: { size: "1Gi" } };
  assert.deepEqual(notYet(clusterWith({ storage })), [`spec.storage.wal: ${why}`]);
  assert.deepEqual(notYet(clusterWith()), []);
});
