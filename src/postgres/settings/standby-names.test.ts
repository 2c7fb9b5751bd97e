import assert from "node:assert/strict";
import { test } from "node:test";
import { quorumsOf } from "../../../test/support/quorums.ts";
import { CLOSED, NOBODY, quorumOf } from "../../core/protocol/quorum.ts";
import { formatStandbyNames, parseStandbyNames } from "./standby-names.ts";

test("what was written is read back the same", () => {
  for (const quorum of [...quorumsOf(["demo-2", "demo-3", "Demo 4"]), CLOSED])
    assert.deepEqual(parseStandbyNames(formatStandbyNames(quorum)), quorum);
});

test("names are quoted, so that hyphens and capitals are theirs", () => {
  const quorum = quorumOf(1, ["demo-2", "demo-10"]);
  assert.equal(formatStandbyNames(quorum), 'ANY 1 ("demo-10", "demo-2")');
  assert.equal(formatStandbyNames(quorumOf(1, ['a"b'])), 'ANY 1 ("a""b")');
  assert.equal(formatStandbyNames(NOBODY), "");
});

test("what somebody else has written is not taken for ours", () => {
  for (const text of ["*", "demo-2", "FIRST 1 (a, b)", "ANY 1 (a)", "ANY 1 ()", 'ANY x ("a")'])
    assert.equal(parseStandbyNames(text), null, text);
});
