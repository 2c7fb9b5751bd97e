import assert from "node:assert/strict";
import { test } from "node:test";
import { clusterWith } from "../../../test/support/postgres-clusters.ts";
import { objectionsToMoves } from "./moved-volumes.ts";

const CLAIMS = {
  storage: undefined,
  members: [
    { claim: "nfs", subPath: "izdb/data" },
    { claim: "nfs-standby", subPath: "izdb/data" },
    { claim: "third" },
  ],
};
const MADE = { storage: { size: "1Gi" } };

function moves(from: Readonly<Record<string, unknown>>, to: Readonly<Record<string, unknown>>) {
  return objectionsToMoves(clusterWith(from), { to: clusterWith(to) });
}

test("data stays where it is, whatever else changes", () => {
  assert.deepEqual(moves(MADE, { storage: { size: "2Gi", accessMode: "ReadWriteOncePod" } }), []);
  assert.deepEqual(moves(CLAIMS, CLAIMS), []);
  const fewer = { ...CLAIMS, standbys: 1, members: CLAIMS.members.slice(0, 2) };
  assert.deepEqual(moves(CLAIMS, fewer), []);
  assert.deepEqual(moves(fewer, CLAIMS), []);
});

test("members that have volumes of their own cannot be led to claims, nor the other way", () => {
  const [first = "", ...others] = moves(MADE, CLAIMS);
  assert.match(
    first,
    /data of izdb-1 is in the claim izdb-1-data and not in izdb\/data in the claim nfs;/,
  );
  assert.equal(others.length, 2);
  assert.equal(moves(CLAIMS, MADE).length, 3);
});

test("another claim, and another place in it, are refused for the members that there are", () => {
  const [, ...rest] = CLAIMS.members;
  for (const first of [
    { claim: "other", subPath: "izdb/data" },
    { claim: "nfs", subPath: "b" },
  ])
    assert.match(
      moves(CLAIMS, { ...CLAIMS, members: [first, ...rest] }).join(),
      /^spec: the data of izdb-1 [^;]*; say that again, or remove the member/,
    );
});

test("a volume for the WAL comes with a member, and neither later nor away from it", () => {
  const apart = { storage: { size: "1Gi", wal: { size: "1Gi" } } };
  assert.match(
    moves(MADE, apart).join(),
    /the WAL of izdb-1 is with its data and not in the claim/,
  );
  assert.match(moves(apart, MADE).join(), /in the claim izdb-1-wal and not with its data/);
  assert.deepEqual(moves(apart, apart), []);
});
