// What of a specification a pod is made from, as a short mark on the pod: one that bears another is
// replaced when it is its turn. The operator's own version is not in it, so that an operator that
// is updated restarts no database; pods that are made anew for other reasons have its newest form.
import { createHash } from "node:crypto";
import type { PostgresCluster } from "../resource/postgres-cluster.ts";
import type { MemberVolumes } from "./volumes.ts";

/** An annotation of the pod. */
export const POD_MARK = "understudy.dev/pod";

/** Where the pod may run at all counts; where it would better run (anti-affinity) does not. */
export function podMark({ spec, restart }: PostgresCluster, volumes: MemberVolumes): string {
  const { image, uid, pullPolicy, pullSecrets } = spec.postgres;
  const { resources, scheduling, stopSeconds } = spec;
  const text = JSON.stringify(
    [image, uid, pullPolicy, pullSecrets, resources, scheduling, stopSeconds, volumes, restart],
    inOrder,
  );
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

/** The order in which fields are written says nothing. */
function inOrder(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
