// How a primary comes to serve under synchronous replication, and goes on to: the one next step,
// from what commits wait for now, what the record promises, and who has confirmed. Pure; the agent
// carries the steps out (src/agent/effects/synchronize.ts), and so does the simulation.
import { CLOSED, NOBODY, implies, isSameQuorum, type Guarantee, type Quorum } from "./quorum.ts";
import { nextSyncStep } from "./sync-set.ts";

/** What a primary's settings say of its commits and its clients. */
export interface Service {
  readonly waitsFor: Quorum;
  /**
   * Whether applications may connect. A primary that was just started or promoted may have commits
   * that were never acknowledged, because no standby had them: nobody is to see these before one
   * has (lesson 16).
   */
  readonly isOpen: boolean;
}

export interface ServiceView {
  /** As PostgreSQL certainly runs with it: after the barrier. */
  readonly service: Service;
  readonly guarantee: Guarantee | null;
  /** See wantedQuorum. */
  readonly wanted: Quorum | null;
  /**
   * Whether commits are proven to wait when they are told to: PostgreSQL's checkpointer has to have
   * read the setting too (postgres-facts, 9; lesson 17).
   */
  readonly binds: boolean;
  /** Members that have flushed all WAL up to a mark that was set after the last change. */
  readonly confirmed: readonly string[];
}

export type ServiceStep =
  /** Write, reload, and the barrier. */
  | { readonly kind: "setting"; readonly quorum: Quorum }
  /** See that a commit waits while none can be confirmed: that proves that the setting binds. */
  | { readonly kind: "see-a-commit-wait" }
  /** The same proof where commits must not be held up: after a checkpoint the setting binds. */
  | { readonly kind: "checkpoint" }
  | { readonly kind: "record"; readonly guarantee: Guarantee | null }
  /** Commits wait for these from now on, and applications may come: one write and reload. */
  | { readonly kind: "open"; readonly quorum: Quorum }
  /** So many of these have not confirmed yet. */
  | { readonly kind: "await"; readonly quorum: Quorum };

/** Null when all is as it is wanted. */
export function nextServiceStep(view: ServiceView): ServiceStep | null {
  const { service, guarantee, wanted } = view;
  if (!service.isOpen) return nextClosedStep(view);
  const step =
    wanted === null ? null : nextSyncStep({ setting: service.waitsFor, guarantee, wanted });
  if (step === null || step.kind === "setting") return step;
  const next = step.guarantee;
  if (step.needsProof && next !== null) {
    if (guarantee === null && !view.binds) return { kind: "checkpoint" };
    if (!isConfirmed(next, view)) return { kind: "await", quorum: next };
  }
  return { kind: "record", guarantee: next };
}

/**
 * Until it serves, commits wait for nobody that there is, so that none is acknowledged by anything
 * weaker than what it then waits for: no barrier is needed in between.
 */
function nextClosedStep(view: ServiceView): ServiceStep {
  const { service, guarantee, wanted, binds } = view;
  if (guarantee !== null && !binds)
    return isSameQuorum(service.waitsFor, CLOSED)
      ? { kind: "see-a-commit-wait" }
      : { kind: "setting", quorum: CLOSED };
  if (wanted === null) return { kind: "await", quorum: guarantee ?? service.waitsFor };
  if (!implies(wanted, guarantee ?? NOBODY)) {
    const step = nextSyncStep({ setting: service.waitsFor, guarantee, wanted });
    if (step?.kind === "record") return { kind: "record", guarantee: step.guarantee };
  }
  const mayOpen = guarantee === null || isConfirmed(wanted, view);
  return mayOpen ? { kind: "open", quorum: wanted } : { kind: "await", quorum: wanted };
}

function isConfirmed({ required, members }: Quorum, { confirmed }: ServiceView): boolean {
  return members.filter((name) => confirmed.includes(name)).length >= required;
}

/** A primary's service before its first commit: nothing is acknowledged and nobody let in. */
export function firstService(guarantee: Guarantee | null): Service {
  if (guarantee === null) return OPEN;
  return { waitsFor: CLOSED, isOpen: false };
}

/** Without synchronous replication, and of every standby. */
export const OPEN: Service = { waitsFor: { required: 0, members: [] }, isOpen: true };
