// What the Kubernetes API proves of another member: that its kubelet has seen the end of the very
// run of its agent that the record names. Everything else is left to time (docs/decisions/0017).
import { messageOf } from "../core/errors.ts";
import type { ClusterRecord } from "../core/record.ts";
import type { KubernetesApi } from "../kubernetes-api/api.ts";
import { POD } from "../kubernetes-api/kinds.ts";
import { hasEnded, type PodObject } from "../kubernetes-api/pod-end.ts";
import type { Clock } from "./clock.ts";
import type { Witness } from "./witness.ts";

/**
 * Of one member, while it is suspected, which is for one lease at most. A kubelet tells of an end
 * within a second or two, and nobody takes writes until that was seen.
 */
const LOOK_EVERY_MS = 100;
const CALL_LIMIT_MS = 2_000;

export interface KubernetesWitnessOptions {
  readonly api: KubernetesApi;
  readonly namespace: string;
  /** The container that a member's agent is the first process of. */
  readonly container: string;
  readonly podOf: (member: string) => string;
  readonly clock: Clock;
  /** As it is known now. */
  readonly record: () => ClusterRecord | null;
  /** Called when an end was proven. */
  readonly onProof: () => void;
  readonly onTrouble: (why: string) => void;
}

export class KubernetesWitness implements Witness {
  readonly freedIsGone = true;
  readonly #options: KubernetesWitnessOptions;
  /** Sessions of runs that are over, now and for ever. */
  readonly #ended = new Set<string>();
  readonly #askedMs = new Map<string, number>();

  constructor(options: KubernetesWitnessOptions) {
    this.#options = options;
  }

  isGone(member: string, { leaseHasRunOut }: { leaseHasRunOut: boolean }): boolean {
    return leaseHasRunOut || this.hasNoServer(member);
  }

  /** Asks for it where it is not known; the answer comes by `onProof`. */
  hasNoServer(member: string): boolean {
    const session = this.#options.record()?.members[member]?.session;
    if (session === undefined) return false;
    if (this.#ended.has(session)) return true;
    void this.#ask(member, session);
    return false;
  }

  /** What is left of it ends with its container, or by its deadman. */
  async fence(): Promise<void> {}

  diskOf(): null {
    return null;
  }

  async #ask(member: string, session: string): Promise<void> {
    const { clock, onProof, onTrouble } = this.#options;
    const asked = this.#askedMs.get(member);
    if (asked !== undefined && clock.nowMs() - asked < LOOK_EVERY_MS) return;
    this.#askedMs.set(member, clock.nowMs());
    try {
      if (!(await proveEnd(this.#options, { member, session }))) return;
      this.#ended.add(session);
      onProof();
    } catch (thrown) {
      onTrouble(messageOf(thrown));
    }
  }
}

/**
 * Whether that run of that member's agent is over, as its kubelet tells.
 * @throws UnderstudyError KUBERNETES_*.
 */
export async function proveEnd(
  by: Pick<KubernetesWitnessOptions, "api" | "namespace" | "container" | "podOf">,
  of: { member: string; session: string },
): Promise<boolean> {
  const place = { namespace: by.namespace, name: by.podOf(of.member) };
  const pod = await by.api.get<PodObject>(POD, place, { timeoutMs: CALL_LIMIT_MS });
  return hasEnded(pod, { container: by.container, session: of.session });
}
