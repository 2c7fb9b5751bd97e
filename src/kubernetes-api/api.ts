// The Kubernetes API as Understudy uses it: get, list, create, replace, patch, apply, delete, and
// the bytes of a watch (watch.ts makes a loop of them). Each call has a deadline and may be
// cancelled.
import type { IncomingMessage } from "node:http";
import type { Agent } from "node:https";
import { setTimeout as delay } from "node:timers/promises";
import type { ApiAccess } from "./access.ts";
import {
  changedOf,
  isSuperseded,
  parseObject,
  parsePage,
  parsePlurals,
  type Changed,
} from "./answers.ts";
import { exchange, openStream, type Answer, type Call, type Line } from "./exchange.ts";
import { POD } from "./kinds.ts";
import { http, https } from "./node-https.ts";
import {
  errorOf,
  isAbsent,
  isConflict,
  isExpired,
  isTaken,
  parseRefusal,
  type Refusal,
} from "./refusal.ts";
import {
  describePlace,
  placeOf,
  queryOf,
  resourcePath,
  versionPath,
  type KubernetesObject,
  type ResourceKind,
  type ResourcePlace,
} from "./resource.ts";

export interface CallOptions {
  /** Default: what the API was opened with. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface ObjectPlace extends ResourcePlace {
  readonly name: string;
}

export interface Selection {
  /** Of all namespaces where none is given. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

export interface ObjectList<T> {
  readonly items: readonly T[];
  /** From here a watch goes on. */
  readonly resourceVersion: string;
}

export interface ApiOptions {
  readonly access: ApiAccess;
  /** For one call; default ten seconds. */
  readonly timeoutMs?: number;
  /** Who owns the fields that are applied. */
  readonly fieldManager?: string;
}

const DEFAULT_TIMEOUT_MS = 10_000;
const DEFAULT_FIELD_MANAGER = "understudy";
/** As kubectl asks: a list of everything at once would hold the server up. */
const PAGE = "500";
/** A server that is throttled and names no time is asked again after this. */
const THROTTLED_MS = 1_000;
/** Longer than the API server keeps a connection that nobody uses would be of no use. */
const IDLE_MS = 60_000;
const APPLY = "application/apply-patch+yaml";
const MERGE_PATCH = "application/merge-patch+json";
const JSON_TYPE = "application/json";

export class KubernetesApi implements Disposable {
  readonly #access: ApiAccess;
  readonly #agent: Agent;
  readonly #timeoutMs: number;
  readonly #fieldManager: string;

  constructor(options: ApiOptions) {
    this.#access = options.access;
    this.#timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    this.#fieldManager = options.fieldManager ?? DEFAULT_FIELD_MANAGER;
    const { Agent } = options.access.server.protocol === "http:" ? http : https;
    this.#agent = new Agent({ keepAlive: true, timeout: IDLE_MS }) as Agent;
  }

  /**
   * @returns the object, or null when there is none.
   * @throws UnderstudyError KUBERNETES_*, as all calls here do; the signal's reason.
   */
  async get<T extends KubernetesObject>(
    kind: ResourceKind,
    place: ObjectPlace,
    options: CallOptions = {},
  ): Promise<T | null> {
    const purpose = `read ${describePlace(kind, place)}`;
    const call = { method: "GET", path: resourcePath(kind, place), purpose } as const;
    const answer = await this.#send(call, options);
    if (answer.status < 300) return parseObject<T>(answer.text, purpose);
    const refusal = parseRefusal(answer);
    if (isAbsent(refusal)) return null;
    throw errorOf(refusal, purpose);
  }

  /** All of them, page by page, as they were at one moment. */
  async list<T extends KubernetesObject>(
    kind: ResourceKind,
    selection: Selection,
    options: CallOptions = {},
  ): Promise<ObjectList<T>> {
    const purpose = `read ${describePlace(kind, selection)}`;
    const items: T[] = [];
    let from: string | null = null;
    for (;;) {
      const query = { ...queryOf(selection), limit: PAGE, ...(from ? { continue: from } : {}) };
      const path = resourcePath(kind, selection);
      const answer = await this.#send({ method: "GET", path, query, purpose }, options);
      const refusal = answer.status < 300 ? null : parseRefusal(answer);
      if (refusal !== null && isExpired(refusal) && from !== null) {
        // Reading took longer than the server remembers: from the beginning, as it is now.
        items.length = 0;
        from = null;
        continue;
      }
      if (refusal !== null) throw errorOf(refusal, purpose);
      const page = parsePage<T>(answer.text, { kind, purpose });
      items.push(...page.items);
      if (page.next === null) return { items, resourceVersion: page.resourceVersion };
      from = page.next;
    }
  }

  /** "other" when there is one of that name already. */
  async create<T extends KubernetesObject>(
    kind: ResourceKind,
    object: T,
    options: CallOptions = {},
  ): Promise<Changed<T>> {
    const { namespace, name } = object.metadata;
    const place = namespace === undefined ? {} : { namespace };
    const change = {
      method: "POST",
      path: resourcePath(kind, place),
      contentType: JSON_TYPE,
      content: object,
      purpose: `create ${describePlace(kind, { ...place, name })}`,
      isOther: isTaken,
    } as const;
    return this.#change<T>(change, options);
  }

  /**
   * Replaces the version that `object` carries in its metadata. "other" when there is a newer one,
   * or none any more.
   */
  async replace<T extends KubernetesObject>(
    kind: ResourceKind,
    object: T,
    options: CallOptions & { subresource?: "status" } = {},
  ): Promise<Changed<T>> {
    const place = placeOf(object, options.subresource);
    const change = {
      method: "PUT",
      path: resourcePath(kind, place),
      contentType: JSON_TYPE,
      content: object,
      purpose: `change ${describePlace(kind, place)}`,
      isOther: isSuperseded,
    } as const;
    return this.#change<T>(change, options);
  }

  /**
   * Changes some fields (RFC 7386), and only of the version that is named: the patch then carries
   * it in its metadata, which the API server takes as a condition.
   */
  async patch<T extends KubernetesObject>(
    kind: ResourceKind,
    { place, patch }: { place: ObjectPlace; patch: Readonly<Record<string, unknown>> },
    options: CallOptions = {},
  ): Promise<Changed<T>> {
    const change = {
      method: "PATCH",
      path: resourcePath(kind, place),
      contentType: MERGE_PATCH,
      content: patch,
      purpose: `change ${describePlace(kind, place)}`,
      isOther: isSuperseded,
    } as const;
    return this.#change<T>(change, options);
  }

  /**
   * Server-side apply: what the object says is so afterwards, and what others say beside it stays.
   * @param options.force takes fields over from other managers; without, "other" names them.
   */
  async apply<T extends KubernetesObject>(
    kind: ResourceKind,
    object: T,
    options: CallOptions & { force?: boolean; subresource?: "status" } = {},
  ): Promise<Changed<T>> {
    const place = placeOf(object, options.subresource);
    const change = {
      method: "PATCH",
      path: resourcePath(kind, place),
      query: { force: String(options.force ?? false) },
      contentType: APPLY,
      content: object,
      purpose: `apply ${describePlace(kind, place)}`,
      isOther: isConflict,
    } as const;
    return this.#change<T>(change, options);
  }

  /** Every write but a deletion. */
  async #change<T extends KubernetesObject>(
    change: Pick<Call, "method" | "path" | "query" | "contentType" | "purpose"> & {
      readonly content: object;
      readonly isOther: (refusal: Refusal) => boolean;
    },
    options: CallOptions,
  ): Promise<Changed<T>> {
    const { content, isOther, ...call } = change;
    const query = { fieldManager: this.#fieldManager, ...call.query };
    const answer = await this.#send({ ...call, query, body: JSON.stringify(content) }, options);
    return changedOf<T>(answer, { purpose: call.purpose, isOther });
  }

  /**
   * Begins to delete it; finalizers may keep it for a while.
   * @param options.uid, options.resourceVersion only that very object, or that version of it.
   * @returns "absent" when there is none, "other" when there is another than was named.
   */
  async delete(
    kind: ResourceKind,
    place: ObjectPlace,
    options: CallOptions & { uid?: string; resourceVersion?: string } = {},
  ): Promise<"deleted" | "absent" | "other"> {
    const purpose = `delete ${describePlace(kind, place)}`;
    const { uid, resourceVersion } = options;
    const preconditions = {
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    };
    const call = {
      method: "DELETE",
      path: resourcePath(kind, place),
      contentType: JSON_TYPE,
      body: JSON.stringify({ propagationPolicy: "Background", preconditions }),
      purpose,
    } as const;
    const answer = await this.#send(call, options);
    if (answer.status < 300) return "deleted";
    const refusal = parseRefusal(answer);
    if (isAbsent(refusal)) return "absent";
    if (refusal.code === 409) return "other";
    throw errorOf(refusal, purpose);
  }

  /**
   * What has happened since that version, as lines of JSON without an end. Null when that version
   * is too old. The caller reads it and destroys it.
   */
  async stream(
    kind: ResourceKind,
    selection: Selection & { resourceVersion: string; timeoutSeconds: number },
    options: CallOptions = {},
  ): Promise<IncomingMessage | null> {
    const { resourceVersion, timeoutSeconds } = selection;
    const purpose = `watch ${describePlace(kind, selection)}`;
    const call: Call = {
      method: "GET",
      path: resourcePath(kind, selection),
      query: {
        ...queryOf(selection),
        watch: "true",
        allowWatchBookmarks: "true",
        resourceVersion,
        timeoutSeconds: String(timeoutSeconds),
      },
      purpose,
      timeoutMs: options.timeoutMs ?? this.#timeoutMs,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    };
    const { body, refused } = await openStream(await this.#line({ renew: false }), call);
    if (refused === null) return body;
    const refusal = parseRefusal(refused);
    if (isExpired(refusal)) return null;
    // The next attempt then finds newer ones in memory.
    if (refusal.code === 401) await this.#line({ renew: true });
    throw errorOf(refusal, purpose);
  }

  /**
   * What a container has written, newest lines last, and with `follow` what it writes from then on.
   * The caller reads it and destroys it.
   */
  async podLog(
    of: { readonly namespace: string; readonly pod: string; readonly container: string },
    how: { readonly lines: number; readonly follow: boolean },
    options: CallOptions = {},
  ): Promise<IncomingMessage> {
    const { namespace, pod, container } = of;
    const purpose = `read the log of Pod ${namespace}/${pod}`;
    const call: Call = {
      method: "GET",
      path: `${resourcePath(POD, { namespace, name: pod })}/log`,
      query: { container, tailLines: String(how.lines), follow: String(how.follow) },
      purpose,
      timeoutMs: options.timeoutMs ?? this.#timeoutMs,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    };
    const { body, refused } = await openStream(await this.#line({ renew: false }), call);
    if (refused === null) return body;
    throw errorOf(parseRefusal(refused), purpose);
  }

  /**
   * Asks a pod by TLS, through the API server, which does not look at its certificate. What it
   * answers is its own; where it could not be reached the API server answers in its place, with a
   * Status object.
   * @param to.port that it listens on
   */
  async askPod(
    to: {
      readonly namespace: string;
      readonly pod: string;
      readonly port: number;
    },
    call: {
      readonly method: "GET" | "POST";
      readonly path: string;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
    },
    options: CallOptions = {},
  ): Promise<{ status: number; text: string }> {
    const { namespace, pod, port } = to;
    const purpose = `ask Pod ${namespace}/${pod}`;
    const place = resourcePath(POD, { namespace, name: `https:${pod}:${port}` });
    const { path, ...rest } = call;
    const asked = { ...rest, path: `${place}/proxy${path}`, purpose, contentType: JSON_TYPE };
    return this.#send(asked, options);
  }

  /** Whether the server has objects of that kind in that version. */
  async serves(kind: ResourceKind, options: CallOptions = {}): Promise<boolean> {
    const purpose = `ask for ${kind.kind} of ${kind.apiVersion}`;
    const path = versionPath(kind.apiVersion);
    const answer = await this.#send({ method: "GET", path, purpose }, options);
    if (answer.status < 300) return parsePlurals(answer.text, purpose).includes(kind.plural);
    const refusal = parseRefusal(answer);
    if (refusal.code === 404) return false;
    throw errorOf(refusal, purpose);
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  /**
   * Asks again where the server has certainly done nothing: it throttles, or does not know this
   * token any more. Not where no answer came, because then nobody knows.
   */
  async #send(call: Omit<Call, "timeoutMs" | "signal">, options: CallOptions): Promise<Answer> {
    const { signal } = options;
    const deadline = performance.now() + (options.timeoutMs ?? this.#timeoutMs);
    let renew = false;
    for (;;) {
      const line = await this.#line({ renew });
      const timeoutMs = Math.max(1, deadline - performance.now());
      const answer = await exchange(line, { ...call, timeoutMs, ...(signal ? { signal } : {}) });
      if (answer.status === 401 && !renew) {
        renew = true;
        continue;
      }
      const pause = answer.status === 429 ? (answer.retryAfterMs ?? THROTTLED_MS) : null;
      if (pause === null || performance.now() + pause >= deadline) return answer;
      await delay(pause, undefined, signal ? { signal } : {});
    }
  }

  async #line(options: { renew: boolean }): Promise<Line> {
    const credentials = await this.#access.credentials(options);
    return { server: this.#access.server, agent: this.#agent, credentials };
  }
}
