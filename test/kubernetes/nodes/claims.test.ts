// Members whose data is in directories of claims that exist, as on NFS: on a real Kubernetes.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { chown, mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { after, test } from "node:test";
import { kindOfObject, PERSISTENT_VOLUME } from "../../../src/kubernetes-api/kinds.ts";
import type { KubernetesObject } from "../../../src/kubernetes-api/resource.ts";
import { Kubernetes } from "../cluster/kubernetes.ts";
import { PodCluster } from "../pod-cluster.ts";
import { POD_FAULTS, strike } from "../pod-faults.ts";
import { installOperator } from "../pod-operator.ts";

const CLAIM = kindOfObject({
  apiVersion: "v1",
  kind: "PersistentVolumeClaim",
  metadata: { name: "" },
});
/** Of the image. */
const POSTGRES_UID = 999;
const kubernetes = await Kubernetes.start({ nodes: 2 });
after(() => kubernetes[Symbol.asyncDispose]());
await installOperator(kubernetes);

test("a cluster lives in directories of two claims that many may mount", async () => {
  const namespace = "shop";
  const names = ["nfs", "nfs-standby", "nfs-wal"];
  const [nfs = "", standby = "", wal = ""] = await Promise.all(names.map(makeVolume));
  await kubernetes.server.makeNamespace(namespace);
  for (const name of names) await claim(namespace, name);
  await using cluster = await PodCluster.in(kubernetes, namespace);
  await cluster.apply({
    storage: undefined,
    standbys: 1,
    members: [
      { claim: "nfs", subPath: "izdb/data" },
      {
        claim: "nfs-standby",
        subPath: "izdb/data",
        wal: { claim: "nfs-wal", subPath: "izdb/data" },
      },
    ],
  });
  await cluster.untilStreaming({ standbys: 1 });
  for (const directory of [nfs, standby])
    assert(existsSync(join(directory, "izdb/data/data/PG_VERSION")), directory);
  const own = await readdir(join(wal, "izdb/data"));
  assert.ok(
    own.some((name) => name.startsWith("wal-")),
    own.join(),
  );
  const seen = await strike(cluster, POD_FAULTS["pod-deleted"]);
  assert.equal(seen.doubled, 0);
});

/** That every node sees, as an export of NFS. */
async function makeVolume(name: string): Promise<string> {
  const path = join(kubernetes.server.directory, "exports", name);
  await mkdir(join(path, "izdb/data"), { recursive: true });
  // A kubelet gives directories of a node to nobody, as it does with those of NFS.
  await chown(join(path, "izdb/data"), POSTGRES_UID, POSTGRES_UID);
  const { apiVersion, kind } = PERSISTENT_VOLUME;
  const volume = {
    apiVersion,
    kind,
    metadata: { name },
    spec: {
      capacity: { storage: "1Gi" },
      accessModes: ["ReadWriteMany"],
      persistentVolumeReclaimPolicy: "Retain",
      storageClassName: name,
      hostPath: { path },
    },
  };
  await kubernetes.api.create<KubernetesObject>(PERSISTENT_VOLUME, volume);
  return path;
}

async function claim(namespace: string, name: string): Promise<void> {
  const { apiVersion, kind } = CLAIM;
  const object = {
    apiVersion,
    kind,
    metadata: { namespace, name },
    spec: {
      accessModes: ["ReadWriteMany"],
      storageClassName: name,
      volumeName: name,
      resources: { requests: { storage: "1Gi" } },
    },
  };
  await kubernetes.api.create<KubernetesObject>(CLAIM, object);
}
