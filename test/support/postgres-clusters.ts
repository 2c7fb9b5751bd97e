// PostgresClusters for tests: the sample of the documentation, and any that there could be.
import * as fc from "fast-check";
import { Secret } from "../../src/core/secret.ts";
import { CURRENT_KUBERNETES, type Surroundings } from "../../src/kubernetes/objects/manifest.ts";
import type { ClusterPasswords } from "../../src/kubernetes/objects/secrets.ts";
import {
  readPostgresCluster,
  type PostgresCluster,
} from "../../src/kubernetes/resource/postgres-cluster.ts";

export const SURROUNDINGS: Surroundings = {
  agentImage: "registry.example/understudy:0.1.0",
  clusterDomain: "cluster.local",
  operatorNamespace: "understudy",
  has: CURRENT_KUBERNETES,
};

/** In place of certificates. */
export const TRUSTED = "trusted";

export const PASSWORDS: ClusterPasswords = {
  superuser: new Secret("pw-superuser:\\1"),
  application: new Secret("pw-application:\\1"),
  replication: new Secret("pw-replication"),
  apiToken: new Secret("pw-api-token"),
};

/** The sample of the README, with changes. */
export function clusterWith(
  spec: Readonly<Record<string, unknown>> = {},
  metadata: Readonly<Record<string, unknown>> = {},
): PostgresCluster {
  return readPostgresCluster({
    apiVersion: "understudy.dev/v1alpha1",
    kind: "PostgresCluster",
    metadata: { name: "izdb", namespace: "shop", uid: "u-1", ...metadata },
    spec: {
      postgres: { image: "postgres:18", parameters: { shared_buffers: "256MB" } },
      standbys: 2,
      storage: { size: "10Gi" },
      ...spec,
    },
  });
}

const name = fc.stringMatching(/^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$/);
const size = fc.constantFrom("1Gi", "512Mi", "2.5Ti", "100");
const storageClass = fc.option(fc.constantFrom("fast", "slow"), { nil: undefined });
const service = fc.record(
  {
    type: fc.constantFrom("NodePort", "LoadBalancer"),
    port: fc.integer({ min: 1, max: 65_535 }),
    nodePort: fc.integer({ min: 30_000, max: 32_767 }),
    annotations: fc.dictionary(fc.constantFrom("a.example/b", "c"), fc.string()),
  },
  { requiredKeys: ["type"] },
);
const storage = fc.record(
  {
    size,
    storageClass,
    accessMode: fc.constantFrom("ReadWriteOnce", "ReadWriteOncePod"),
    wal: fc.record({ size, storageClass }),
  },
  { requiredKeys: ["size"] },
);
const places = (standbys: number) =>
  fc.uniqueArray(
    fc.stringMatching(/^[a-z]{1,3}(\/[a-z]{1,3})?$/).map((path) => `${path}/data`),
    {
      minLength: 2 * (standbys + 1),
      maxLength: 2 * (standbys + 1),
      // None within another: they are of one depth each, and end alike.
      selector: (path) => path,
    },
  );

const whereData = fc.integer({ min: 0, max: 4 }).chain((standbys) =>
  fc.oneof(
    storage.map((made) => ({ standbys, storage: made })),
    places(standbys).map((paths) => ({
      standbys,
      members: Array.from({ length: standbys + 1 }, (_, index) => ({
        claim: index % 2 === 0 ? "nfs" : "nfs-standby",
        subPath: paths[2 * index] ?? "",
        ...(index === 0 ? { wal: { claim: "wal", subPath: paths[1] ?? "" } } : {}),
      })),
    })),
  ),
);

const rest = fc.record(
  {
    postgres: fc.record(
      {
        image: fc.constantFrom("postgres:18", "timescale/timescaledb:latest-pg16"),
        parameters: fc.dictionary(fc.constantFrom("work_mem", "a.b"), fc.string()),
        preload: fc.array(fc.constantFrom("auto_explain", "pg_stat_statements")),
        uid: fc.integer({ min: 1, max: 65_534 }),
        pullSecrets: fc.array(fc.constantFrom("pull"), { maxLength: 1 }),
      },
      { requiredKeys: ["image"] },
    ),
    services: fc.record({ write: service, read: service, any: service }, { requiredKeys: [] }),
    access: fc.array(fc.constantFrom({ cidr: "10.0.0.0/8" }, { namespace: "apps" })),
    resources: fc.constantFrom({}, { limits: { memory: "1Gi", cpu: 2 } }),
    scheduling: fc.constantFrom({}, { tolerations: [{ operator: "Exists" }], priorityClass: "p" }),
    leaseSeconds: fc.integer({ min: 5, max: 60 }),
    acceptSharedFate: fc.boolean(),
    deletionPolicy: fc.constantFrom("Retain", "Delete"),
  },
  { requiredKeys: ["postgres"] },
);

/** Any cluster of that name. */
export function clustersNamed(wanted: fc.Arbitrary<string>): fc.Arbitrary<PostgresCluster> {
  return fc
    .record({ wanted, whereData, rest, uid: fc.option(fc.constant("u-1"), { nil: null }) })
    .map(({ wanted: called, whereData: data, rest: other, uid }) =>
      clusterWith({ storage: undefined, ...other, ...data }, { name: called, uid }),
    );
}

export const anyCluster = clustersNamed(name);
