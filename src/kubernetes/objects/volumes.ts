// Where each member has its data, and its WAL if apart: claims that are made for it, or existing
// ones. The claims are objects of their own and no templates of a StatefulSet, which could not be
// changed: so volumes can grow, and outlive what mounts them.
import { assert } from "../../core/errors.ts";
import type { PostgresCluster } from "../resource/postgres-cluster.ts";
import { manifest, type Manifest } from "./manifest.ts";
import { claimName, memberNames } from "./names.ts";

export interface MountedClaim {
  readonly claim: string;
  /** Within the volume; "" for all of it. */
  readonly subPath: string;
}

export interface MemberVolumes {
  readonly member: string;
  readonly data: MountedClaim;
  /** Null: with its data. */
  readonly wal: MountedClaim | null;
}

export function memberVolumes(cluster: PostgresCluster): MemberVolumes[] {
  const { members, storage } = cluster.spec;
  return memberNames(cluster).map((member, index) => {
    if (members === undefined) {
      const made = (of: "data" | "wal") => ({ claim: claimName(member, of), subPath: "" });
      return { member, data: made("data"), wal: storage?.wal === undefined ? null : made("wal") };
    }
    const named = members[index];
    assert(named !== undefined, `${member} has a claim`);
    const { claim, subPath, wal = null } = named;
    return { member, data: { claim, subPath }, wal };
  });
}

/** Those that are made; none where all are existing ones. */
export function claims(cluster: PostgresCluster): Manifest[] {
  const { storage } = cluster.spec;
  if (storage === undefined) return [];
  const { wal, accessMode } = storage;
  const made: Manifest[] = [];
  for (const member of memberNames(cluster)) {
    made.push(newClaim(cluster, { ...storage, name: claimName(member, "data") }));
    if (wal !== undefined)
      made.push(newClaim(cluster, { ...wal, accessMode, name: claimName(member, "wal") }));
  }
  return made;
}

/** Of a member that is none now: only whose it is. */
export function keptClaim(cluster: PostgresCluster, name: string): Manifest {
  const frame = { apiVersion: "v1", kind: "PersistentVolumeClaim", name, isKept: true };
  return manifest(cluster, { ...frame, body: {} });
}

function newClaim(
  cluster: PostgresCluster,
  of: { name: string; size: string; storageClass?: string | undefined; accessMode: string },
): Manifest {
  const { name, size, storageClass, accessMode } = of;
  return manifest(cluster, {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    name,
    isKept: true,
    body: {
      spec: {
        accessModes: [accessMode],
        resources: { requests: { storage: size } },
        ...(storageClass === undefined ? {} : { storageClassName: storageClass }),
      },
    },
  });
}
