// The operator: watches PostgresClusters and all that is made of them, and passes over each cluster
// of which something has changed. Only while it holds its Lease; who succeeds it goes on from what
// there is.
import { isIP } from "node:net";
import { messageOf, UnderstudyError } from "../../core/errors.ts";
import type { KubernetesApi } from "../../kubernetes-api/api.ts";
import { POD, POSTGRES_CLUSTER } from "../../kubernetes-api/kinds.ts";
import type { KubernetesObject, ResourceKind } from "../../kubernetes-api/resource.ts";
import { watchObjects, type Seen } from "../../kubernetes-api/watch.ts";
import type { Surroundings } from "../objects/manifest.ts";
import { CLUSTER_LABEL } from "../objects/names.ts";
import type { Agents } from "./agents.ts";
import { ClusterNews } from "./cluster-news.ts";
import type { EventText } from "./events.ts";
import { Handovers } from "./handovers.ts";
import type { ObjectMemory } from "./keep-objects.ts";
import { leadWhenHolding } from "./leadership.ts";
import { pass, tellTrouble, type ClusterPlace, type PassOptions } from "./pass.ts";
import { kindOf, listedKinds, STATEFUL_SET } from "./reading.ts";
import type { ParameterCheck } from "./wanted.ts";
import { WorkQueue } from "./work-queue.ts";

export interface OperatorOptions {
  readonly api: KubernetesApi;
  readonly agents: Agents;
  /** What the API server has is asked of it. */
  readonly surroundings: Omit<Surroundings, "has" | "addressType">;
  readonly check: ParameterCheck;
  /** Where the operator's own Lease is. */
  readonly namespace: string;
  /** Of this process, and of no other one. */
  readonly self: string;
  readonly onEvent: (event: EventText, of: ClusterPlace) => void;
  /** What does not work now and is tried again. */
  readonly onTrouble: (why: UnderstudyError) => void;
  readonly onLeading?: (isLeading: boolean) => void;
  readonly signal: AbortSignal;
}

const LEASE_NAME = "understudy-operator";
const LEASE_MS = 15_000;
const CONCURRENCY = 4;
const BACKOFF = { firstMs: 500, limitMs: 60_000 };
/** A person who has corrected something does not wait for longer. */
const LEAST_PAUSE_MS = 5_000;
const TELLING_LIMIT_MS = 10_000;

/** Ends when the signal says so. No database is touched by its beginning or its end. */
export async function runOperator(options: OperatorOptions): Promise<void> {
  const { api, namespace, self, signal, onTrouble } = options;
  await leadWhenHolding({
    api,
    place: { namespace, name: LEASE_NAME },
    self,
    durationMs: LEASE_MS,
    lead: (until) => lead(options, until),
    onTrouble,
    signal,
  });
}

async function lead(options: OperatorOptions, until: AbortSignal): Promise<void> {
  options.onLeading?.(true);
  // One watch that ends by a mistake of ours ends all of it, and the Lease with it.
  const end = new AbortController();
  const signal = AbortSignal.any([until, end.signal]);
  try {
    const has = await whatThereIs(options.api, signal);
    const addressType = await addressTypeOf(options.api, signal);
    const surroundings = { ...options.surroundings, has, addressType };
    const kinds = listedKinds(surroundings);
    const { api, agents, check, onEvent, self: instance } = options;
    const handovers = new Handovers(() => performance.now());
    const tools = { api, agents, handovers };
    const passing: PassOptions = { ...tools, surroundings, kinds, check, instance, onEvent };
    await using queue = queueOf(options, passing);
    const watched = [POSTGRES_CLUSTER, POD, STATEFUL_SET, ...kinds];
    await Promise.all(
      watched.map((kind) => watch(options, { kind, queue, signal }).finally(() => end.abort())),
    );
  } catch (thrown) {
    if (!until.aborted) throw thrown;
  } finally {
    end.abort();
    options.onLeading?.(false);
  }
}

function queueOf(options: OperatorOptions, passing: PassOptions): WorkQueue {
  const memories = new Map<string, ObjectMemory>();
  return new WorkQueue({
    concurrency: CONCURRENCY,
    backoff: BACKOFF,
    leastPauseMs: LEAST_PAUSE_MS,
    chance: Math.random,
    setTimer: (ms, callback) => {
      const timer = setTimeout(callback, ms);
      return { [Symbol.dispose]: () => clearTimeout(timer) };
    },
    work: async (key, signal) => {
      const place = placeOf(key);
      const memory = memories.get(key) ?? { applied: new Map(), secrets: new Map() };
      memories.set(key, memory);
      const again = await pass(passing, { place, memory, signal });
      if (again === null) {
        memories.delete(key);
        passing.handovers.forget(key);
      }
      return again;
    },
    onFailure: (key, thrown) => {
      options.onTrouble(asError(thrown));
      const signal = AbortSignal.any([options.signal, AbortSignal.timeout(TELLING_LIMIT_MS)]);
      // Where that cannot be written either, it is in the log.
      void tellTrouble(passing, { place: placeOf(key), thrown, signal }).catch(() => {});
    },
  });
}

function watch(
  options: OperatorOptions,
  of: { kind: ResourceKind; queue: WorkQueue; signal: AbortSignal },
): Promise<void> {
  const { kind, queue, signal } = of;
  const isCluster = kind === POSTGRES_CLUSTER;
  const news = new ClusterNews();
  const add = (object: KubernetesObject) => {
    const { namespace = "", name, labels } = object.metadata;
    const cluster = isCluster ? name : labels?.[CLUSTER_LABEL];
    if (cluster !== undefined) queue.add(`${namespace}/${cluster}`);
  };
  return watchObjects(options.api, {
    kind,
    ...(isCluster ? {} : { labelSelector: CLUSTER_LABEL }),
    signal,
    onSeen: (seen: Seen<KubernetesObject>) => {
      if (seen.kind === "listed") seen.items.forEach(add);
      else if (!isCluster || seen.kind === "removed" || news.isNews(seen.object)) add(seen.object);
      if (isCluster && seen.kind === "removed") news.forget(seen.object);
    },
    onTrouble: (why) => {
      if (why !== null) options.onTrouble(why);
    },
  });
}

/** Kubernetes 1.20 has some kinds in older versions only. */
async function whatThereIs(api: KubernetesApi, signal: AbortSignal): Promise<Surroundings["has"]> {
  return {
    policyV1: await api.serves(kindOf("policy/v1", "PodDisruptionBudget"), { signal }),
    discoveryV1: await api.serves(kindOf("discovery.k8s.io/v1", "EndpointSlice"), { signal }),
  };
}

/**
 * Of the Service by which pods reach the API: pods' own addresses are of the same family, the first
 * of two where there are both.
 */
export async function addressTypeOf(
  api: KubernetesApi,
  signal: AbortSignal,
): Promise<"IPv4" | "IPv6"> {
  const place = { namespace: "default", name: "kubernetes" };
  const service = await api.get(kindOf("v1", "Service"), place, { signal });
  const address: unknown = Object(Object(service)["spec"])["clusterIP"];
  return typeof address === "string" && isIP(address) === 6 ? "IPv6" : "IPv4";
}

function placeOf(key: string): ClusterPlace {
  const [namespace = "", name = ""] = key.split("/");
  return { namespace, name };
}

function asError(thrown: unknown): UnderstudyError {
  return thrown instanceof UnderstudyError
    ? thrown
    : new UnderstudyError("INTERNAL", messageOf(thrown), { cause: thrown });
}
