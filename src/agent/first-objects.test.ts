import assert from "node:assert/strict";
import { test } from "node:test";
import { Secret } from "../core/secret.ts";
import { SUPPORTED_MAJORS } from "../core/spec.ts";
import { firstStatements } from "./first-objects.ts";

const TEXTS = { superuser: "one", replication: "t'wo", application: "thr\\ee", apiToken: "four" };
const SECRETS = {
  superuser: new Secret(TEXTS.superuser),
  replication: new Secret(TEXTS.replication),
  application: new Secret(TEXTS.application),
  apiToken: new Secret(TEXTS.apiToken),
};

test("a password is in no statement, and each statement is one line", () => {
  for (const major of SUPPORTED_MAJORS)
    for (const statement of firstStatements({ major, secrets: SECRETS })) {
      assert.doesNotMatch(statement, /\n/);
      for (const text of Object.values(TEXTS))
        assert.ok(!statement.includes(`'${text}`), statement);
    }
});

test("the roles get verifiers, each its own", () => {
  const verifiers = firstStatements({ major: 15, secrets: SECRETS }).flatMap(
    (statement) => /^CREATE ROLE .* PASSWORD '(SCRAM-SHA-256\$[^']+)'$/.exec(statement)?.[1] ?? [],
  );
  assert.equal(new Set(verifiers).size, 3);
});

test("where objects cannot get numbers of their own none are made", () => {
  for (const major of SUPPORTED_MAJORS)
    assert.equal(firstStatements({ major, secrets: SECRETS }).length === 0, major < 12);
});
