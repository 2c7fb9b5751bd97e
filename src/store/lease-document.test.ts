import assert from "node:assert/strict";
import { test } from "node:test";
import { announcePrimary, bumpGeneration, renewLease, takeLease } from "../core/record-changes.ts";
import { newRecord, type ClusterRecord } from "../core/record.ts";
import {
  leasePatch,
  recordIn,
  recordTextIn,
  RECORD_ANNOTATION,
  RENEWAL_ANNOTATION,
  type LeaseObject,
} from "./lease-document.ts";

const AT = "2026-11-22T10:00:00.123Z";
const POSITION = { lsn: "0/3000148", timeline: 1 };
const MEMBERS = {
  "izdb-1": { host: "10.91.1.4", port: 5432, apiPort: 8008, tags: {} },
  "izdb-2": { host: "10.91.2.4", port: 5432, apiPort: 8008, tags: {} },
};

function fresh(): ClusterRecord {
  return newRecord({ cluster: "izdb", founder: "izdb-1", ttlMs: 10_000, members: MEMBERS });
}

function led(): ClusterRecord {
  const taker = { member: "izdb-1", position: POSITION, at: AT, reason: "take-named-lease" };
  const forks = [{ term: 1, timeline: 1 }];
  const primary = { member: "izdb-1", term: 1, position: POSITION, forks };
  return defined(announcePrimary(defined(takeLease(fresh(), taker)), primary));
}

function renewed(record: ClusterRecord): ClusterRecord {
  return defined(renewLease(record, { member: "izdb-1", term: 1, position: POSITION }));
}

function defined(record: ClusterRecord | null): ClusterRecord {
  assert(record !== null);
  return record;
}

/** As the API server merges it (RFC 7386). */
function patched(lease: LeaseObject, record: ClusterRecord): LeaseObject {
  const { annotations, spec } = leasePatch(record, { present: recordTextIn(lease), at: AT });
  const merged = Object.entries({ ...lease.metadata.annotations, ...annotations });
  const kept = merged.filter((entry): entry is [string, string] => entry[1] !== null);
  const metadata = { ...lease.metadata, annotations: Object.fromEntries(kept) };
  return { ...lease, metadata, spec: { ...lease.spec, ...spec } };
}

const EMPTY: LeaseObject = {
  apiVersion: "coordination.k8s.io/v1",
  kind: "Lease",
  metadata: { name: "izdb", annotations: { "kept.example/by": "others" } },
};

test("a Lease without a record has none", () => {
  assert.equal(recordIn(EMPTY), null);
});

test("whatever is written one after the other is what is read", () => {
  const released = { ...renewed(led()), leader: null, heir: "izdb-1" };
  let lease = EMPTY;
  for (const record of [fresh(), led(), renewed(led()), bumpGeneration(led()), released, led()]) {
    assert(record !== null);
    lease = patched(lease, record);
    assert.deepEqual(recordIn(lease), record);
    assert.equal(lease.metadata.annotations?.["kept.example/by"], "others");
  }
});

test("a renewal is small, and touches only what the leader says of itself", () => {
  const members = Object.fromEntries(
    Array.from({ length: 17 }, (_, index) => [`izdb-${index + 1}`, MEMBERS["izdb-1"]]),
  );
  const before = patched(EMPTY, { ...led(), members });
  const present = recordTextIn(before);
  const patch = leasePatch(renewed({ ...led(), members }), { present, at: AT });
  assert.deepEqual(Object.keys(patch.annotations), [RENEWAL_ANNOTATION]);
  assert.deepEqual(patch.spec, { renewTime: "2026-11-22T10:00:00.123000Z" });
  assert.ok(JSON.stringify(patch).length < 300, JSON.stringify(patch));
});

test("the Lease's own fields tell people who leads and in which term", () => {
  const { spec } = patched(EMPTY, led());
  assert.deepEqual(
    [spec?.["holderIdentity"], spec?.["leaseTransitions"], spec?.["leaseDurationSeconds"]],
    ["izdb-1", 1, 10],
  );
  assert.equal(patched(EMPTY, { ...fresh(), ttlMs: 1_500 }).spec?.["leaseDurationSeconds"], 2);
  assert.equal(patched(EMPTY, fresh()).spec?.["holderIdentity"], null);
});

test("what a hand has spoilt is a damaged record, and not another one", () => {
  const good = patched(EMPTY, renewed(led()));
  const spoil = (annotations: Record<string, string>) => {
    const all = { ...good.metadata.annotations, ...annotations };
    return { ...good, metadata: { ...good.metadata, annotations: all } };
  };
  const { [RENEWAL_ANNOTATION]: _, ...withoutRenewal } = good.metadata.annotations ?? {};
  for (const lease of [
    spoil({ [RECORD_ANNOTATION]: "{" }),
    spoil({ [RECORD_ANNOTATION]: "null" }),
    spoil({ [RENEWAL_ANNOTATION]: "no" }),
    spoil({ [RENEWAL_ANNOTATION]: '{"renewals":"many"}' }),
    { ...good, metadata: { ...good.metadata, annotations: withoutRenewal } },
  ])
    assert.throws(() => recordIn(lease), { code: "RECORD_CORRUPT" });
  const newer = spoil({ [RECORD_ANNOTATION]: '{"version":99}' });
  assert.throws(() => recordIn(newer), { code: "RECORD_TOO_NEW" });
});
