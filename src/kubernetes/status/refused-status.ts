// The status of a cluster of which nothing can be said but why: its specification cannot be done,
// or the operator cannot look. Pure.
import type { ErrorCode } from "../../core/errors.ts";
import type { KubernetesObject } from "../../kubernetes-api/resource.ts";
import type { PostgresClusterStatus } from "../resource/status-schema.ts";
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

/** Everything stays as it was told last, but that nobody looks at it now. */
export function troubledStatus(
  why: { code: ErrorCode; message: string },
  about: About,
): PostgresClusterStatus {
  const { before, object, at } = about;
  const generation = object.metadata.generation ?? 1;
  const finding: Finding = {
    type: "Progressing",
    status: "Unknown",
    reason: camelCase(why.code),
    message: why.message,
  };
  const conditions = before?.conditions ?? [];
  const [changed] = conditionsFrom([finding], { before: conditions, at, generation });
  const others = conditions.filter(({ type }) => type !== finding.type);
  return {
    ...before,
    phase: "not looked at",
    conditions: [...others, ...(changed === undefined ? [] : [changed])],
  };
}

/** "KUBERNETES_FORBIDDEN" is "KubernetesForbidden". */
function camelCase(code: string): string {
  return code
    .split("_")
    .map((word) => word.slice(0, 1) + word.slice(1).toLowerCase())
    .join("");
}
