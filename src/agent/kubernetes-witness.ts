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
 * Of one member, from when it is suspected, for a lease. A kubelet tells of an end within a second
 * or two, and nobody takes writes until that was seen.
 */
const LOOK_EVERY_MS = 100;
/** From then on, as where a node is lost: time has proven what the kubelet does not. */
const LATER_EVERY_MS = 2_000;
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

/** One run of a member that may be over. */
interface Suspicion {
  readonly session: string;
  readonly sinceMs: number;
  /** When somebody wanted to know last. */
  wantedMs: number;
  askedMs: number | null;
  isAsking: boolean;
}

export class KubernetesWitness implements Witness {
  readonly freedIsGone = true;
  readonly reachesDisks = false;
  readonly #options: KubernetesWitnessOptions;
  /** Sessions of runs that are over, now and for ever. */
  readonly #ended = new Set<string>();
  readonly #suspected = new Map<string, Suspicion>();
  /** As it was told last; null: the API has answered since. */
  #trouble: string | null = null;

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

  /** One question at a time: an API server that is slow is not asked the same twice. */
  async #ask(member: string, session: string): Promise<void> {
    const { clock, onProof } = this.#options;
    const suspicion = this.#suspicionOf(member, session);
    if (suspicion.isAsking || !this.#isTime(suspicion)) return;
    suspicion.askedMs = clock.nowMs();
    suspicion.isAsking = true;
    try {
      const isOver = await proveEnd(this.#options, { member, session });
      this.#trouble = null;
      if (!isOver) return;
      this.#ended.add(session);
      onProof();
    } catch (thrown) {
      this.#tell(messageOf(thrown));
    } finally {
      suspicion.isAsking = false;
    }
  }

  /** It ends when nobody has wanted to know for a lease. */
  #suspicionOf(member: string, session: string): Suspicion {
    const nowMs = this.#options.clock.nowMs();
    const known = this.#suspected.get(member);
    const isOpen = known?.isAsking === true || nowMs - (known?.wantedMs ?? 0) < this.#ttlMs();
    if (known?.session === session && isOpen) {
      known.wantedMs = nowMs;
      return known;
    }
    const fresh = { session, sinceMs: nowMs, wantedMs: nowMs, askedMs: null, isAsking: false };
    this.#suspected.set(member, fresh);
    return fresh;
  }

  #isTime({ sinceMs, askedMs }: Suspicion): boolean {
    if (askedMs === null) return true;
    const nowMs = this.#options.clock.nowMs();
    const everyMs = nowMs - sinceMs < this.#ttlMs() ? LOOK_EVERY_MS : LATER_EVERY_MS;
    return nowMs - askedMs >= everyMs;
  }

  #ttlMs(): number {
    return this.#options.record()?.ttlMs ?? 0;
  }

  /** Ten times a second it would be the same. */
  #tell(trouble: string): void {
    if (trouble !== this.#trouble) this.#options.onTrouble(trouble);
    this.#trouble = trouble;
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
