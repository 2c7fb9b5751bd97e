// What is found of a cluster, as its conditions tell it: each with a reason for programs and a
// sentence for people. Pure.
import type { ClusterMember, ClusterStatus } from "../../core/cluster-status.ts";
import type { Verdict } from "../failure-domains/shared-fate.ts";
import type { PostgresCluster } from "../resource/postgres-cluster.ts";
import type { RolloutStep } from "../rollout/next-step.ts";
import type { Finding } from "./conditions.ts";
import type { Trouble } from "./pod-troubles.ts";

export interface Observation {
  readonly cluster: PostgresCluster;
  /** Null: no agent answers, or there is no record yet. */
  readonly summary: ClusterStatus | null;
  /** What of the specification cannot be done, one sentence with its remedy for each. */
  readonly objections: readonly string[];
  readonly fate: Verdict;
  /** What stands in the way of members, one at most for each. */
  readonly troubles: readonly Trouble[];
  readonly rollout: RolloutStep;
  /** That the service for writes leads elsewhere, for longer than a moment; null: it does not. */
  readonly astray: string | null;
  /** Member -> the node that its pod is on. */
  readonly nodes: ReadonlyMap<string, string>;
}

/** One for each condition. */
export function findingsOf(observation: Observation): Finding[] {
  const { summary, objections, fate, troubles } = observation;
  return [
    readyFinding(observation),
    primaryFinding(summary),
    acceptedFinding(objections, fate),
    blockedFinding(troubles),
    progressFinding(observation),
    degradedFinding(summary),
    syncFinding(summary),
    fateFinding(fate),
    summary?.state === "paused"
      ? yes("Paused", { reason: "OnRequest", message: "nothing fails over until it is resumed" })
      : no("Paused", { reason: "NotPaused", message: "it fails over by itself" }),
  ];
}

/** Unknown is never healthy: it is false, with the reason that nothing is known. */
function readyFinding({ cluster, summary, astray }: Observation): Finding {
  if (summary === null) return no("Ready", { reason: "NoAnswer", message: "no agent answers" });
  const wanted = cluster.spec.standbys + 1;
  const ready = summary.members.filter(isReady).length;
  if (summary.primary === null)
    return no("Ready", { reason: "NoPrimary", message: "no member takes writes" });
  if (astray !== null) return no("Ready", { reason: "ServiceAstray", message: astray });
  if (ready < wanted || summary.members.length !== wanted)
    return no("Ready", {
      reason: "MembersMissing",
      message: `${ready} of ${wanted} members are ready`,
    });
  return yes("Ready", {
    reason: "AllStreaming",
    message: `${summary.primary} takes writes and every standby streams`,
  });
}

function primaryFinding(summary: ClusterStatus | null): Finding {
  if (summary === null)
    return unknown("PrimaryAvailable", { reason: "NoAnswer", message: "no agent answers" });
  const { primary, term } = summary;
  return primary === null
    ? no("PrimaryAvailable", { reason: "NoPrimary", message: "no member takes writes" })
    : yes("PrimaryAvailable", {
        reason: "TakesWrites",
        message: `${primary} takes writes in term ${term}`,
      });
}

function acceptedFinding(objections: readonly string[], fate: Verdict): Finding {
  const reasons = fate.kind === "refused" ? fate.reasons : [];
  const [reason] = [...objections.map(() => "NotPossible"), ...reasons.map(() => "SharedFate")];
  if (reason === undefined)
    return yes("Accepted", { reason: "Possible", message: "the specification can be done" });
  const remedy = "have them apart, or say acceptSharedFate: true";
  const told = reasons.map((each) => `${each}; ${remedy}`);
  return no("Accepted", { reason, message: [...objections, ...told].join("; ") });
}

function blockedFinding(troubles: readonly Trouble[]): Finding {
  const [first] = troubles;
  if (first === undefined)
    return no("Blocked", { reason: "Nothing", message: "nothing is known to be in the way" });
  const message = troubles.map((each) => `${each.member}: ${each.message}`).join("; ");
  return yes("Blocked", { reason: first.reason, message });
}

function progressFinding({ cluster, summary, rollout }: Observation): Finding {
  if (rollout.kind === "wait")
    return yes("Progressing", { reason: "Waiting", message: `a change waits: ${rollout.why}` });
  if (rollout.kind === "replace")
    return yes("Progressing", {
      reason: "Replacing",
      message: `${rollout.member} is being changed`,
    });
  if (rollout.kind === "switchover")
    return yes("Progressing", {
      reason: "SwitchingOver",
      message: `${rollout.from} hands over to ${rollout.to}`,
    });
  const made = summary?.members.length ?? 0;
  const wanted = cluster.spec.standbys + 1;
  if (made !== wanted)
    return yes("Progressing", {
      reason: "Scaling",
      message: `${made} of ${wanted} members are in the cluster`,
    });
  return no("Progressing", { reason: "AsSpecified", message: "every member is as it is to be" });
}

function degradedFinding(summary: ClusterStatus | null): Finding {
  if (summary === null)
    return unknown("Degraded", { reason: "NoAnswer", message: "no agent answers" });
  if (summary.state === "no-primary")
    return yes("Degraded", { reason: "NoPrimary", message: "no member takes writes" });
  return summary.state === "degraded"
    ? yes("Degraded", {
        reason: "SeeWarnings",
        message: summary.warnings.join("; ") || "not every standby streams",
      })
    : no("Degraded", { reason: "Sound", message: "nothing is known to be wrong" });
}

function syncFinding(summary: ClusterStatus | null): Finding {
  if (summary === null)
    return unknown("SyncSatisfied", { reason: "NoAnswer", message: "no agent answers" });
  const { mode, required, guarantee } = summary.sync;
  if (mode === "off")
    return yes("SyncSatisfied", { reason: "NotWanted", message: "commits wait for no standby" });
  const promised = guarantee?.required ?? 0;
  const message = `commits are on ${promised} of the ${required} standbys that are wanted`;
  return promised >= required
    ? yes("SyncSatisfied", { reason: "Promised", message })
    : no("SyncSatisfied", { reason: "TooFewStandbys", message });
}

function fateFinding(fate: Verdict): Finding {
  switch (fate.kind) {
    case "accepted":
      return yes("SharedFate", { reason: "Accepted", message: fate.warnings.join("; ") });
    case "refused":
      return yes("SharedFate", { reason: "Refused", message: fate.reasons.join("; ") });
    case "unknown": {
      const message = `it is not known on what these have their data: ${fate.members.join(", ")}`;
      return unknown("SharedFate", { reason: "NotKnown", message });
    }
    case "apart":
      return no("SharedFate", {
        reason: "Apart",
        message: "no two members share a node, a disk or a server",
      });
  }
}

/** The first thing that a person should know, in one phrase. */
export function phaseOf(findings: readonly Finding[]): string {
  const is = (type: Finding["type"], status: Finding["status"]) =>
    findings.find((each) => each.type === type && each.status === status);
  const first =
    is("Accepted", "False") ??
    is("Blocked", "True") ??
    is("Paused", "True") ??
    is("PrimaryAvailable", "False") ??
    is("PrimaryAvailable", "Unknown") ??
    is("Progressing", "True") ??
    is("Ready", "False") ??
    is("Degraded", "True");
  if (first === undefined) return "healthy";
  return first.status === "Unknown" ? "no answer" : PHASES[first.type];
}

const PHASES: Readonly<Record<Finding["type"], string>> = {
  Accepted: "specification refused",
  Blocked: "needs help",
  Paused: "paused",
  PrimaryAvailable: "no primary",
  Progressing: "changing",
  Ready: "members missing",
  Degraded: "degraded",
  SyncSatisfied: "degraded",
  SharedFate: "degraded",
};

export function isReady({ role, state }: ClusterMember): boolean {
  return role === "primary" ? state === "running" : state === "streaming";
}

function yes(type: Finding["type"], why: { reason: string; message: string }): Finding {
  return { type, status: "True", ...why };
}

function no(type: Finding["type"], why: { reason: string; message: string }): Finding {
  return { type, status: "False", ...why };
}

function unknown(type: Finding["type"], why: { reason: string; message: string }): Finding {
  return { type, status: "Unknown", ...why };
}
