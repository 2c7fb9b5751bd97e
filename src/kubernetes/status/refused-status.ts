// The status of a cluster of which nothing can be said but why: its specification cannot be done,
// or the operator cannot look. Pure.
import type { ErrorCode } from "../../core/errors.ts";
import type { KubernetesObject } from "../../kubernetes-api/resource.ts";
import type { Condition, PostgresClusterStatus } from "../resource/status-schema.ts";
import { conditionsFrom, type Finding } from "./conditions.ts";

interface About {
  readonly object: KubernetesObject;
  readonly before: PostgresClusterStatus | null;
  /** Wall clock, RFC 3339 UTC, to the second. */
  readonly at: string;
}

/** Of a cluster that was never made, because nothing of its specification can be. */
export function refusedStatus(objections: readonly string[], about: About): PostgresClusterStatus {
  const message = objections.join("; ");
  const findings: Finding[] = [
    { type: "Ready", status: "False", reason: "NotPossible", message: "nothing was made" },
    { type: "Accepted", status: "False", reason: "NotPossible", message },
  ];
  const generation = about.object.metadata.generation ?? 1;
  return {
    observedGeneration: generation,
    phase: "specification refused",
    conditions: conditionsFrom(findings, {
      before: about.before?.conditions ?? [],
      at: about.at,
      generation,
    }),
  };
}

/** What agents say from one moment to the next; the rest stays until somebody changes it. */
const SEEN = ["Ready", "PrimaryAvailable", "Degraded", "SyncSatisfied"] as const;
/** One look that fails is made again within a second, and says little. */
const UNSEEN_MS = 10_000;

/**
 * That nobody looks at it now; once that has lasted, nothing is known of how it is.
 * @param why.hasLooked what failed came after the look: what was seen is told, and stays
 */
export function troubledStatus(
  why: { code: ErrorCode; message: string; hasLooked: boolean },
  about: About,
): PostgresClusterStatus {
  const { before, object, at } = about;
  const generation = object.metadata.generation ?? 1;
  const conditions = before?.conditions ?? [];
  const unknown = (type: Finding["type"], message: string): Finding => {
    return { type, status: "Unknown", reason: camelCase(why.code), message };
  };
  const findings = [
    ...(isUnseen(why, { conditions, at })
      ? SEEN.map((type) => unknown(type, `it could not be looked at; ${why.message}`))
      : []),
    unknown("Progressing", why.message),
  ];
  const changed = conditionsFrom(findings, { before: conditions, at, generation });
  const others = conditions.filter(({ type }) => changed.every((each) => each.type !== type));
  return {
    ...before,
    phase: why.hasLooked ? (before?.phase ?? "changing") : "not looked at",
    conditions: [...others, ...changed],
  };
}

/** It is so already, or has failed to be looked at for long. */
function isUnseen(
  { hasLooked }: { hasLooked: boolean },
  of: { conditions: readonly Condition[]; at: string },
): boolean {
  if (hasLooked) return false;
  const find = (type: Finding["type"]) => of.conditions.find((each) => each.type === type);
  if (find("Ready")?.status === "Unknown") return true;
  const last = find("Progressing");
  if (last?.status !== "Unknown") return false;
  return Date.parse(of.at) - Date.parse(last.lastTransitionTime) >= UNSEEN_MS;
}

/** "KUBERNETES_FORBIDDEN" is "KubernetesForbidden". */
function camelCase(code: string): string {
  return code
    .split("_")
    .map((word) => word.slice(0, 1) + word.slice(1).toLowerCase())
    .join("");
}
