// The record in a Lease of the cluster's namespace. The API server compares the version of the
// object that a change was made from; a watch tells of changes. See docs/decisions/0016.
import { UnderstudyError } from "../core/errors.ts";
import type { ClusterRecord } from "../core/record.ts";
import type { Changed } from "../kubernetes-api/answers.ts";
import type { KubernetesApi } from "../kubernetes-api/api.ts";
import { LEASE } from "../kubernetes-api/kinds.ts";
import { watchObjects } from "../kubernetes-api/watch.ts";
import {
  ADOPT_ANNOTATION,
  leasePatch,
  recordIn,
  recordTextIn,
  type LeaseObject,
} from "./lease-document.ts";
import type { Store, Versioned, WriteRequest } from "./store.ts";

/** Half of the usual lease: whoever waits for longer has members to ask. */
const CALL_LIMIT_MS = 5_000;
/** A member that hears of changes late takes over late. */
const WATCH_BACKOFF = { firstMs: 100, limitMs: 1_000 };
/** The leader renews each two seconds: a watch that is silent for so long is likely to be dead. */
const WATCH_QUIET_MS = 15_000;

export interface KubernetesStoreOptions {
  readonly api: KubernetesApi;
  readonly namespace: string;
  /** The Lease has its name. */
  readonly cluster: string;
  /** For a Lease that this store makes. */
  readonly labels?: Readonly<Record<string, string>>;
}

export class KubernetesStore implements Store {
  readonly #api: KubernetesApi;
  readonly #place: { readonly namespace: string; readonly name: string };
  readonly #labels: Readonly<Record<string, string>>;
  readonly #end = new AbortController();
  /** Of the version that was read or written last: what need not be sent again. */
  #known: { readonly revision: string; readonly text: string | null } | null = null;

  constructor(options: KubernetesStoreOptions) {
    this.#api = options.api;
    this.#place = { namespace: options.namespace, name: options.cluster };
    this.#labels = options.labels ?? {};
  }

  read(): Promise<Versioned | null> {
    return this.#attempt("read", async (call) => {
      const lease = await this.#api.get<LeaseObject>(LEASE, this.#place, call);
      const record = lease === null ? null : recordIn(lease);
      if (lease === null || record === null) return null;
      return { record, revision: this.#learn(lease) };
    });
  }

  /** Whom a person has named to make the record anew; null: nobody. @throws as `read`. */
  adopter(): Promise<string | null> {
    return this.#attempt("read", async (call) => {
      const lease = await this.#api.get<LeaseObject>(LEASE, this.#place, call);
      return lease?.metadata.annotations?.[ADOPT_ANNOTATION] ?? null;
    });
  }

  /** `durable` says nothing here: the API server acknowledges what etcd has on its disks. */
  write({ record, expected }: WriteRequest): Promise<Versioned | null> {
    return this.#attempt("write", async (call) => {
      const written =
        expected === null
          ? await this.#writeFirst(record, call)
          : await this.#writeOver(record, { revision: expected, call });
      return written.kind === "other" ? null : { record, revision: this.#learn(written.object) };
    });
  }

  watch(onChange: (seen?: Versioned) => void): Disposable {
    const end = new AbortController();
    const signal = AbortSignal.any([end.signal, this.#end.signal]);
    const { namespace, name } = this.#place;
    void watchObjects<LeaseObject>(this.#api, {
      kind: LEASE,
      namespace,
      fieldSelector: `metadata.name=${name}`,
      signal,
      backoff: WATCH_BACKOFF,
      quietMs: WATCH_QUIET_MS,
      onSeen: (seen) => {
        if (signal.aborted) return;
        const lease = seen.kind === "listed" ? seen.items[0] : seen.object;
        const isDeleted = seen.kind === "removed" || lease === undefined;
        if (!isDeleted && this.#isKnown(lease)) return;
        onChange(isDeleted ? undefined : this.#versioned(lease));
      },
    });
    return { [Symbol.dispose]: () => end.abort() };
  }

  /** The API is its caller's, and stays open. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
  }

  /** The Lease may be there without a record: whoever makes a cluster's objects makes it too. */
  async #writeFirst(record: ClusterRecord, call: CallLimit): Promise<Changed<LeaseObject>> {
    const lease = await this.#api.get<LeaseObject>(LEASE, this.#place, call);
    if (lease === null) return this.#create(record, call);
    const revision = lease.metadata.resourceVersion;
    if (recordTextIn(lease) !== null || revision === undefined)
      return { kind: "other", why: "there is a record" };
    return this.#writeOver(record, { revision, call, isFirst: true });
  }

  #create(record: ClusterRecord, call: CallLimit): Promise<Changed<LeaseObject>> {
    const { annotations, spec } = leasePatch(record, { present: null, at: now() });
    const { apiVersion, kind } = LEASE;
    const metadata = {
      ...this.#place,
      labels: this.#labels,
      annotations: withoutNull(annotations),
    };
    return this.#api.create<LeaseObject>(LEASE, { apiVersion, kind, metadata, spec }, call);
  }

  #writeOver(
    record: ClusterRecord,
    of: { revision: string; call: CallLimit; isFirst?: boolean },
  ): Promise<Changed<LeaseObject>> {
    const { revision, call, isFirst = false } = of;
    const present = this.#known?.revision === revision ? this.#known.text : null;
    const { annotations: held, spec } = leasePatch(record, { present, at: now() });
    // It was meant for this once.
    const annotations = isFirst ? { ...held, [ADOPT_ANNOTATION]: null } : held;
    const patch = { metadata: { resourceVersion: revision, annotations }, spec };
    return this.#api.patch<LeaseObject>(LEASE, { place: this.#place, patch }, call);
  }

  /**
   * What the watch tells may be older than what was read or written meanwhile. The API promises to
   * those who compare versions of one object that they are numbers, which rise; where they are not,
   * nothing counts as known.
   */
  #isKnown(lease: LeaseObject): boolean {
    const [seen, known] = [lease.metadata.resourceVersion ?? "", this.#known?.revision ?? ""];
    if (!/^\d+$/.test(seen) || !/^\d+$/.test(known)) return false;
    return BigInt(seen) <= BigInt(known);
  }

  /**
   * Undefined where there is no record in it, or none that can be understood: reading tells why.
   */
  #versioned(lease: LeaseObject): Versioned | undefined {
    try {
      const record = recordIn(lease);
      return record === null ? undefined : { record, revision: this.#learn(lease) };
    } catch {
      return undefined;
    }
  }

  #learn(lease: LeaseObject): string {
    const revision = lease.metadata.resourceVersion ?? "";
    this.#known = { revision, text: recordTextIn(lease) };
    return revision;
  }

  /** Whatever keeps the API from answering as it should demotes nobody: the store is away. */
  async #attempt<T>(
    verb: "read" | "write",
    operation: (call: CallLimit) => Promise<T>,
  ): Promise<T> {
    try {
      return await operation({ timeoutMs: CALL_LIMIT_MS, signal: this.#end.signal });
    } catch (thrown) {
      if (!(thrown instanceof UnderstudyError) || !thrown.code.startsWith("KUBERNETES_"))
        throw thrown;
      throw new UnderstudyError(
        "STORE_UNAVAILABLE",
        `cannot ${verb} the cluster's record: ${thrown.message}`,
        { cause: thrown, hint: thrown.hint, details: { ...thrown.details, code: thrown.code } },
      );
    }
  }
}

interface CallLimit {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

function withoutNull(values: Readonly<Record<string, string | null>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== null),
  );
}

function now(): string {
  return new Date().toISOString();
}
