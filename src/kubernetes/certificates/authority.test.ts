import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  advance,
  certificatesIn,
  isGood,
  isPair,
  issue,
  LIFE_MS,
  newSigner,
  trusted,
  type Authority,
  type Issue,
  type Signer,
} from "./authority.ts";

const DAY_MS = 86_400_000;
const NOW = new Date("2026-11-23T05:00:00Z");
const SERVER: Issue = {
  commonName: "izdb-1",
  use: "server",
  names: ["izdb-1", "izdb-rw", "izdb-rw.shop.svc.cluster.local"],
};

function later(days: number, from = NOW): Date {
  return new Date(from.getTime() + days * DAY_MS);
}

function at(now: Date): { cluster: string; now: Date } {
  return { cluster: "izdb", now };
}

function authority(now = NOW): Authority {
  return { current: newSigner("izdb", now), next: null, former: [] };
}

function issued(of: Authority, now = NOW, wanted = SERVER): Signer {
  return issue(of, { wanted, now, lifeMs: LIFE_MS.renewed });
}

test("an authority signs itself, and what it issues says what it is for and nothing more", () => {
  const own = authority();
  const signer = new X509Certificate(own.current.certificate);
  assert(signer.ca && signer.checkIssued(signer) && signer.verify(signer.publicKey));
  const server = new X509Certificate(issued(own).certificate);
  assert(!server.ca && server.checkIssued(signer) && server.verify(signer.publicKey));
  assert.equal(server.subject, "CN=izdb-1");
  assert.equal(
    server.checkHost("izdb-rw.shop.svc.cluster.local"),
    "izdb-rw.shop.svc.cluster.local",
  );
  assert.equal(server.checkHost("izdb-2"), undefined);
  assert.deepEqual(server.keyUsage, ["1.3.6.1.5.5.7.3.1"]);
  const wanted: Issue = { commonName: "understudy_replication", use: "client", names: [] };
  const client = new X509Certificate(issued(own, NOW, wanted).certificate);
  assert.deepEqual(client.keyUsage, ["1.3.6.1.5.5.7.3.2"]);
  assert.equal(client.subjectAltName, undefined);
});

test("a certificate is good until two thirds of its life, of these names, with its own key, from this authority", () => {
  const own = authority();
  const certificate = issued(own);
  const good = (of: Partial<Parameters<typeof isGood>[1]>, signer = certificate) =>
    isGood(signer, { authority: own, wanted: SERVER, now: NOW, ...of });
  assert(good({}));
  assert(good({ now: later(59) }));
  assert(!good({ now: later(60) }));
  assert(!good({ authority: authority() }));
  assert(!good({ wanted: { ...SERVER, names: ["izdb-1"] } }));
  assert(!good({ wanted: { ...SERVER, commonName: "izdb-2" } }));
  assert(!good({}, { ...certificate, key: issued(own).key }));
  assert(!good({}, { certificate: "", key: "" }));
  assert(!isPair({ certificate: "nonsense", key: certificate.key }));
});

test("the next authority is known to everybody for a day before it signs, and the former until it is over", () => {
  const first = authority();
  assert.equal(advance(first, at(later(2_000))), first);
  const both = advance(first, at(later(2_434)));
  assert.equal(both.current, first.current);
  assert.equal(certificatesIn(trusted(both)).length, 2);
  assert.equal(advance(both, at(later(2_434.9))), both);
  const changed = advance(both, at(later(2_435.1)));
  assert.equal(changed.current, both.next);
  assert.deepEqual(changed.former, [first.current.certificate]);
  // What the former one has signed is not made anew for that.
  const old = issued(first, later(2_430));
  assert(isGood(old, { authority: changed, wanted: SERVER, now: later(2_436) }));
  assert.equal(advance(changed, at(later(2_436))), changed);
  assert.deepEqual(advance(changed, at(later(3_651))), { ...changed, former: [] });
});

test("nothing that was issued by the rules is ever untrusted, whenever somebody looks", () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0.01, max: 25, noNaN: true }), { minLength: 1, maxLength: 60 }),
      fc.integer({ min: 0, max: 3_500 }),
      (waits, beginning) => {
        let [now, own] = [later(beginning), authority()];
        own = advance(own, at(now));
        let server = issued(own, now);
        for (const days of waits) {
          now = later(days, now);
          own = advance(own, at(now));
          const is = { authority: own, wanted: SERVER, now };
          // Whoever looks more often than each thirty days finds it good or due, never over.
          assert(new X509Certificate(server.certificate).validToDate > now);
          if (!isGood(server, is)) server = issued(own, now);
          assert(isGood(server, is));
        }
      },
    ),
    { numRuns: 15 },
  );
});

test("an authority that has run out while nobody looked is succeeded at once", () => {
  const first = authority();
  const now = later(3_651);
  const second = advance(first, at(now));
  assert.notEqual(second.current.certificate, first.current.certificate);
  const is = { authority: second, wanted: SERVER, now };
  assert(isGood(issued(second, now), is));
});

test("what was issued by a clock that was ahead is issued anew once it is right", () => {
  const own = authority();
  const ahead = issued(own, later(400));
  assert(!isGood(ahead, { authority: own, wanted: SERVER, now: NOW }));
  // Clocks of nodes differ: that much is nothing.
  const little = issued(own, new Date(NOW.getTime() + 30 * 60_000));
  assert(isGood(little, { authority: own, wanted: SERVER, now: NOW }));
});

test("an authority made by a clock that was ahead is succeeded at once, and still trusted", () => {
  const ahead = authority(later(400));
  const now = advance(ahead, at(NOW));
  assert.notEqual(now.current.certificate, ahead.current.certificate);
  assert.deepEqual(now.former, [ahead.current.certificate]);
  const is = { authority: now, wanted: SERVER, now: NOW };
  assert(isGood(issued(now), is));
  // Of today, but signed by the one whose time has not come.
  assert(!isGood(issued(ahead), is));
  assert.equal(advance(now, at(NOW)), now);
});

test("a next authority whose time has not come is no next one", () => {
  const own = authority();
  const due = later(2_434);
  const next = newSigner("izdb", later(9_000));
  const mended = advance({ ...own, next }, at(due));
  assert.notEqual(mended.next?.certificate, next.certificate);
  assert.equal(advance(mended, at(later(2_436))).current, mended.next);
  const over = advance({ ...own, next }, at(later(3_651)));
  assert.notEqual(over.current, next);
  const early = advance({ ...authority(later(400)), next: own.current }, at(NOW));
  assert.equal(early.current, own.current);
});

test("years after 2049 are written so that they are read as these", () => {
  const late = authority(new Date("2041-01-01T00:00:00Z"));
  const { validToDate } = new X509Certificate(late.current.certificate);
  assert.equal(validToDate.getUTCFullYear(), 2050);
});
