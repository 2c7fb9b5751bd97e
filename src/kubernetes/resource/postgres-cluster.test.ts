import assert from "node:assert/strict";
import { test } from "node:test";
import { UnderstudyError } from "../../core/errors.ts";
import {
  engineSpecification,
  majorOfImage,
  objectionsToChange,
  readPostgresCluster,
  uidOf,
} from "./postgres-cluster.ts";

/** The sample of the README, with changes. */
function document(spec: Record<string, unknown> = {}, metadata = {}): unknown {
  return {
    apiVersion: "understudy.dev/v1alpha1",
    kind: "PostgresCluster",
    metadata: { name: "izdb", namespace: "shop", ...metadata },
    spec: {
      postgres: { image: "postgres:18", parameters: { shared_buffers: "256MB" }, preload: [] },
      standbys: 2,
      storage: { size: "10Gi" },
      sync: { mode: "on", required: 1 },
      services: { write: { type: "NodePort" } },
      ...spec,
    },
  };
}

function problems(spec: Record<string, unknown>): string[] {
  try {
    readPostgresCluster(document(spec));
  } catch (thrown) {
    assert(thrown instanceof UnderstudyError, String(thrown));
    assert.equal(thrown.code, "SPEC_INVALID");
    const { problems: list } = thrown.details;
    assert(Array.isArray(list));
    assert.ok(thrown.message.includes(String(list[0])), thrown.message);
    return list.map(String);
  }
  return assert.fail("nothing was refused");
}

test("what is left out has its default, within what is left out too", () => {
  const { spec, major } = readPostgresCluster(
    document({ sync: undefined, services: undefined, standbys: undefined }),
  );
  assert.equal(major, 18);
  assert.equal(spec.standbys, 1);
  assert.deepEqual(spec.sync, { mode: "off", required: 1, whenUnavailable: "block" });
  assert.deepEqual(spec.services.write, { type: "ClusterIP", port: 5432, annotations: {} });
  assert.equal(spec.leaseSeconds, 10);
  assert.equal(spec.deletionPolicy, "Retain");
});

test("the engine is told what it is told elsewhere, numbers as text", () => {
  const parameters = { max_connections: 200, shared_buffers: "1GB" };
  const postgres = {
    image: "postgis/postgis:16-3.4-alpine",
    parameters,
    preload: ["auto_explain"],
  };
  const cluster = readPostgresCluster(document({ postgres }));
  assert.deepEqual(engineSpecification(cluster).spec.postgres, {
    major: 16,
    parameters: { max_connections: "200", shared_buffers: "1GB" },
    preload: ["auto_explain"],
    locale: "C.UTF-8",
  });
});

test("what is wrong is said in one sentence that names the field", () => {
  for (const [spec, sentence] of [
    [{ standbys: -1 }, '"spec.standbys": it must be a whole number from 0 to 16, not -1'],
    [{ standbys: 1.5 }, '"spec.standbys": it must be a whole number from 0 to 16, not 1.5'],
    [{ standbys: "2" }, '"spec.standbys": it must be a whole number from 0 to 16, not "2"'],
    [{ postgres: {} }, '"spec.postgres.image": it is missing'],
    [
      { storage: { size: "big" } },
      '"spec.storage.size": it must be a size such as 10Gi, not "big"',
    ],
    [
      { sync: { mode: true } },
      '"spec.sync.mode": it must be one of on, off, not true; write it in quotes',
    ],
    [
      { postgres: { image: "postgres:18", parameters: { fsync: true } } },
      '"spec.postgres.parameters.fsync": it must be a text or a whole number, not true; write it in quotes',
    ],
    [
      { storage: { size: "1Gi", volume: "x" } },
      '"spec.storage.volume": there is no such field; there are: size, storageClass, accessMode, wal',
    ],
    [
      { services: { write: { nodePort: 30_432 } } },
      '"spec.services.write": a nodePort needs the type NodePort or LoadBalancer',
    ],
    [
      { storage: undefined },
      '"spec": give either storage, for a new volume for each member, or members, for existing claims',
    ],
    [
      { sync: { mode: "on", required: 3 } },
      '"spec": sync.required must not be more than there are standbys',
    ],
    [
      { postgres: { image: "registry.example/pg@sha256:0f" } },
      '"spec.postgres.major": it is missing, and the image registry.example/pg@sha256:0f does not tell it by its tag',
    ],
    [
      { postgres: { image: "postgres:17", major: 18 } },
      '"spec.postgres.major": it says 18, and the image is postgres:17',
    ],
    [{ access: [{}] }, '"spec.access.0": give either cidr or namespace'],
    ...["0.0.0.0/0", "::/0"].map(
      (cidr) =>
        [
          { access: [{ cidr }] },
          '"spec.access.0.cidr": the whole world is never let in: name the networks that applications come from',
        ] as const,
    ),
    ...["10.0.0.0/33", "10.0.0/8", "999.0.0.1/8", "fd00::/129", "1:2:3/64", "10.0.0.0/00"].map(
      (cidr) =>
        [
          { access: [{ cidr }] },
          `"spec.access.0.cidr": it must be like 10.0.0.0/8, not "${cidr}"`,
        ] as const,
    ),
  ] as const)
    assert.equal(problems(spec)[0], sentence);
});

test("everything that is wrong is listed, and not only the first of it", () => {
  assert.equal(problems({ standbys: -1, leaseSeconds: 1, nonsense: true }).length, 3);
});

test("existing claims are one for each member, and no two in one place", () => {
  const members = [
    { claim: "nfs", subPath: "izdb/data" },
    { claim: "nfs-standby", subPath: "izdb_standby/data" },
    { claim: "nfs", subPath: "izdb/other" },
  ];
  const both = { storage: undefined, members };
  assert.equal(readPostgresCluster(document(both)).spec.members?.length, 3);
  assert.match(problems({ ...both, standbys: 1 }).join(), /one claim more than there are standbys/);
  assert.match(problems({ members }).join(), /either storage/);
  for (const subPath of ["izdb/data", "izdb", "izdb/data/inner", "", undefined]) {
    const list = [...members.slice(0, 2), { claim: "nfs", subPath }];
    assert.match(problems({ ...both, members: list }).join(), /two members/, subPath);
  }
  const wal = { claim: "nfs-standby", subPath: "izdb_standby/data/wal" };
  const walWithin = [{ ...members[0], wal }, members[1], members[2]];
  assert.match(problems({ ...both, members: walWithin }).join(), /two members/);
  for (const subPath of ["/izdb", "izdb/", "../izdb", "a/./b", "a//b", "/"])
    assert.match(
      problems({ ...both, members: [{ claim: "nfs", subPath }] }).join(),
      /a path within/,
    );
});

function reading(change: object): () => unknown {
  return () => readPostgresCluster(Object.assign({}, document(), change));
}

test("an object of another kind or version, and one without a name for it, is refused", () => {
  assert.throws(reading({ apiVersion: "understudy.dev/v2" }), { code: "SPEC_INVALID" });
  assert.throws(reading({ kind: "Cluster" }), { code: "SPEC_INVALID" });
  assert.throws(reading({ metadata: { name: "UPPER" } }), { code: "NAME_INVALID" });
  assert.throws(() => readPostgresCluster(null), { code: "SPEC_INVALID" });
});

test("the major version is read from the tags that images have", () => {
  const majors = {
    "postgres:18": 18,
    "postgres:9.6": null,
    "postgres:17.5-alpine3.20": 17,
    "localhost:5000/postgres:15": 15,
    "localhost:5000/postgres": null,
    "timescale/timescaledb:latest-pg16": 16,
    "timescale/timescaledb:2.19.3-pg17": 17,
    "timescale/timescaledb-ha:pg15-ts2.10": 15,
    "postgis/postgis:16-3.4": 16,
    "postgres:14@sha256:00ff": 14,
    "postgres:latest": null,
    "postgres:2024": null,
    "postgres:99": null,
  };
  for (const [image, major] of Object.entries(majors))
    assert.equal(majorOfImage(image), major, image);
});

function uid(image: string): number {
  return uidOf(readPostgresCluster(document({ postgres: { image, major: 16 } })).spec.postgres);
}

test("the data's owner is the user that the image has for it", () => {
  assert.equal(uid("postgres:16"), 999);
  assert.equal(uid("postgres:16-alpine"), 70);
  assert.equal(uid("timescale/timescaledb:latest-pg16"), 70);
  assert.equal(uid("timescale/timescaledb-ha:pg16"), 999);
});

test("what cannot become otherwise is said so", () => {
  const from = readPostgresCluster(document());
  const objections = (spec: Record<string, unknown>) =>
    objectionsToChange(from, readPostgresCluster(document(spec)));
  assert.deepEqual(objections({ standbys: 3, storage: { size: "20Gi" } }), []);
  assert.match(
    objections({ postgres: { image: "postgres:17" } }).join(),
    /of PostgreSQL 18, and postgres:17 is 17/,
  );
  assert.equal(objections({ storage: { size: "10Gi", storageClass: "fast" } }).length, 1);
  assert.match(objections({ leaseSeconds: 20 }).join(), /leaseSeconds: it stays 10; /);
  assert.equal(objections({ postgres: { image: "postgres:18", locale: "de_DE.UTF-8" } }).length, 1);
});
