import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { test } from "node:test";
import * as fc from "fast-check";
import { anyCluster, clusterWith, SURROUNDINGS } from "../../../test/support/postgres-clusters.ts";
import type { Manifest } from "../objects/manifest.ts";
import { serviceName } from "../objects/names.ts";
import { advance, certificatesIn, isGood, isPair, newSigner, trusted } from "./authority.ts";
import {
  authoritySecret,
  readAuthority,
  readSigner,
  unattendedCertificates,
  wantedCertificates,
} from "./certificate-secrets.ts";

const NOW = new Date("2026-11-23T05:00:00Z");

/** As the API gives it back. */
function stored(secret: Manifest): Manifest {
  const texts: Record<string, string> = Object(secret["stringData"]);
  const data = Object.entries(texts).map(([key, text]) => [
    key,
    Buffer.from(text).toString("base64"),
  ]);
  return { ...secret, data: Object.fromEntries(data) };
}

test("each member has a certificate by which it is known under its own name and its services', and under no other member's", () => {
  fc.assert(
    fc.property(anyCluster, (cluster) => {
      const of = { surroundings: SURROUNDINGS, now: NOW };
      const { authority, secrets } = unattendedCertificates(cluster, of);
      const leaves = new Map(secrets.map((each) => [each.metadata.name, stored(each)]));
      assert.equal(leaves.size, cluster.spec.standbys + 3);
      for (const { name, issue } of wantedCertificates(cluster, SURROUNDINGS)) {
        const secret = leaves.get(name);
        assert(secret !== undefined);
        const signer = readSigner(secret);
        assert(isPair(signer) && isGood(signer, { authority, wanted: issue, now: NOW }));
        const certificate = new X509Certificate(signer.certificate);
        const isServer = issue.use === "server";
        for (const role of ["write", "read", "any"] as const) {
          const host = `${serviceName(cluster.name, role)}.${cluster.namespace}.svc.cluster.local`;
          assert.equal(certificate.checkHost(host) !== undefined, isServer);
        }
        for (const other of leaves.keys()) {
          const member = other.replace(/-tls$/, "");
          const isOwn = isServer && member === issue.commonName;
          assert.equal(certificate.checkHost(member) !== undefined, isOwn);
        }
      }
    }),
    { numRuns: 10 },
  );
});

test("an authority is read from its Secret as it was written, in every state", () => {
  const cluster = clusterWith();
  let now = NOW;
  let authority = advance(
    { current: newSigner("izdb", now), next: null, former: [] },
    { cluster: "izdb", now },
  );
  const states = new Set<string>();
  for (let month = 0; month < 150; month += 1) {
    now = new Date(NOW.getTime() + month * 30 * 86_400_000);
    authority = advance(authority, { cluster: "izdb", now });
    states.add(`${authority.next !== null} ${authority.former.length}`);
    assert.deepEqual(readAuthority(stored(authoritySecret(cluster, authority))), authority);
    assert(certificatesIn(trusted(authority)).length <= 3);
  }
  assert.deepEqual([...states].toSorted(), ["false 0", "false 1", "true 0"]);
});

test("a damaged authority is told as that", () => {
  const authority = { current: newSigner("izdb", NOW), next: null, former: [] };
  const secret = authoritySecret(clusterWith(), authority);
  const stringData = { ...Object(secret["stringData"]), "ca.key": newSigner("izdb", NOW).key };
  assert.equal(readAuthority(stored({ ...secret, stringData })), null);
  assert.equal(readAuthority(secret), null);
});
