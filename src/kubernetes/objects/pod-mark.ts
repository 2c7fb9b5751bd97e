// What of a specification a pod is made from, as a short mark on the pod: one that bears another is
// replaced when it is its turn. The operator's own version is not in it, so that an operator that
// is updated restarts no database; pods that are made anew for other reasons have its newest form.
import { createHash } from "node:crypto";
import type { PostgresCluster } from "../resource/postgres-cluster.ts";
import type { MemberVolumes } from "./volumes.ts";

/** An annotation of the pod. */
export const POD_MARK = "understudy.dev/pod";

/**
 * Where the pod may run at all counts; where it would better run (anti-affinity) does not. A field
 * that a later operator adds must not change the mark of whoever does not use it: it is empty where
 * nothing is said, or is left out here while it has its default.
 */
export function podMark({ spec, restart }: PostgresCluster, volumes: MemberVolumes): string {
  const { image, uid, pullPolicy, pullSecrets } = spec.postgres;
  const { resources, scheduling, stopSeconds } = spec;
  const { member, data, wal } = volumes;
  const of = said({
    image,
    uid,
    pullPolicy,
    pullSecrets,
    stopSeconds,
    restart,
    member,
    resources: said(resources),
    scheduling: said(scheduling),
    data: said(data),
    wal: wal === null ? null : said(wal),
  });
  return createHash("sha256").update(JSON.stringify(of, inOrder)).digest("hex").slice(0, 16);
}

/** Only of our own fields: an empty text in a person's labels is something that was said. */
function said(fields: object): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => !isEmpty(value)));
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === "" || value === false) return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}

/** The order in which fields are written says nothing. */
function inOrder(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
