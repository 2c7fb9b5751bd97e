import assert from "node:assert/strict";
import { test } from "node:test";
import { SURROUNDINGS, clusterWith } from "../../../test/support/postgres-clusters.ts";
import { unattendedCertificates } from "../../kubernetes/certificates/certificate-secrets.ts";
import { missingCertificates } from "../../kubernetes/certificates/missing-certificates.ts";
import { toDocuments } from "./documents.ts";
import { givenSecrets } from "./given-secrets.ts";

const now = new Date("2026-11-23T08:00:00Z");
const two = clusterWith({ standbys: 1 });
const three = clusterWith({ standbys: 2 });
const made = unattendedCertificates(two, { surroundings: SURROUNDINGS, now });
const printed = toDocuments(made.secrets);

function missing(text: string, at = now): string[] {
  const given = givenSecrets(text, three);
  const issued = missingCertificates(three, { ...given, surroundings: SURROUNDINGS, now: at });
  return issued.map(({ metadata }) => metadata.name);
}

test("of a file with all that was printed once, what is not in it is issued", () => {
  assert.deepEqual(missing(printed), ["izdb-3-tls"]);
  const list = JSON.stringify({ apiVersion: "v1", kind: "List", items: made.secrets });
  assert.deepEqual(missing(list), ["izdb-3-tls"]);
});

test("of a file with the authority alone everything is, and what another one has issued is as none", () => {
  const all = ["izdb-1-tls", "izdb-2-tls", "izdb-3-tls", "izdb-replication"];
  const authority = made.secrets.filter(({ metadata }) => metadata.name === "izdb-ca");
  assert.deepEqual(missing(toDocuments(authority)), all);
  const other = unattendedCertificates(two, { surroundings: SURROUNDINGS, now });
  const leaves = other.secrets.filter(({ metadata }) => metadata.name !== "izdb-ca");
  assert.deepEqual(missing(toDocuments([...authority, ...leaves])), all);
});

test("a file without the cluster's authority, or with a damaged one, is refused", () => {
  const leaves = made.secrets.filter(({ metadata }) => metadata.name !== "izdb-ca");
  assert.throws(() => missing(toDocuments(leaves)), {
    code: "USAGE",
    message: /has no Secret izdb-ca/,
  });
  assert.throws(() => missing(""), { code: "USAGE" });
  assert.throws(() => missing("a: [b"), { code: "USAGE", message: /no YAML/ });
  const damaged = { apiVersion: "v1", kind: "Secret", metadata: { name: "izdb-ca" }, data: {} };
  assert.throws(() => missing(JSON.stringify(damaged)), { message: /no certificate with its key/ });
});
