// The part of the Kubernetes API that the store uses, for one kind of object, in memory: versions,
// merge patches on condition, and watches. The store passes its conformance suite against it, and
// against the real API in test/kubernetes; where the two differ, this one is wrong.
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import type { KubernetesObject } from "../../src/kubernetes-api/resource.ts";
import { answer, refusal, ScriptedServer, type Received, type Script } from "./scripted-server.ts";

interface Change {
  readonly version: number;
  readonly type: "ADDED" | "MODIFIED";
  readonly object: KubernetesObject;
}

const NOT_FOUND = { reason: "NotFound", details: { name: "izdb", kind: "leases" } };
const CONFLICT = { reason: "Conflict", message: "the object has been modified" };
const EXISTS = { reason: "AlreadyExists", message: "it exists" };

export class LeaseServer implements AsyncDisposable {
  readonly #server: ScriptedServer;
  readonly #state: LeaseState;
  #outage: Script | null = null;

  private constructor(server: ScriptedServer, state: LeaseState) {
    this.#server = server;
    this.#state = state;
  }

  static async start(): Promise<LeaseServer> {
    const state = new LeaseState();
    const server = await ScriptedServer.start((response, received) =>
      (started.#outage ?? state.answerTo(received))(response, received),
    );
    const started = new LeaseServer(server, state);
    return started;
  }

  get received(): readonly Received[] {
    return this.#server.received;
  }

  access(): ReturnType<ScriptedServer["access"]> {
    return this.#server.access();
  }

  /** Every request is answered by this from now on; null: as usual. */
  fail(script: Script | null): void {
    this.#outage = script;
  }

  /** As whoever makes a cluster's objects does: a Lease without a record. */
  found(object: KubernetesObject): void {
    this.#state.put("ADDED", object);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#server[Symbol.asyncDispose]();
  }
}

/** One object and its versions. */
class LeaseState {
  readonly #changes: Change[] = [];
  readonly #watchers = new Set<(change: Change) => void>();

  put(type: Change["type"], object: KubernetesObject): KubernetesObject {
    const version = this.#version + 1;
    const metadata = { ...object.metadata, resourceVersion: String(version) };
    const change = { version, type, object: { ...object, metadata } };
    this.#changes.push(change);
    for (const tell of this.#watchers) tell(change);
    return change.object;
  }

  answerTo({ method, path, query, body }: Received): Script {
    if (method === "POST") return this.#create(JSON.parse(body));
    if (method === "PATCH") return this.#patch(JSON.parse(body));
    if (query["watch"] === "true") return this.#watch(Number(query["resourceVersion"]));
    if (path.endsWith("/leases")) return this.#list();
    return this.#present === null ? refusal(404, NOT_FOUND) : answer(200, this.#present);
  }

  get #version(): number {
    return this.#changes.at(-1)?.version ?? 0;
  }

  get #present(): KubernetesObject | null {
    return this.#changes.at(-1)?.object ?? null;
  }

  #create(object: KubernetesObject): Script {
    return this.#present === null ? answer(201, this.put("ADDED", object)) : refusal(409, EXISTS);
  }

  #patch(patch: { metadata: { resourceVersion?: string } }): Script {
    const present = this.#present;
    if (present === null) return refusal(404, NOT_FOUND);
    const { resourceVersion = present.metadata.resourceVersion } = patch.metadata;
    if (resourceVersion !== present.metadata.resourceVersion) return refusal(409, CONFLICT);
    return answer(200, this.put("MODIFIED", merged(present, patch) as KubernetesObject));
  }

  #list(): Script {
    const items = this.#present === null ? [] : [this.#present];
    return answer(200, { metadata: { resourceVersion: String(this.#version) }, items });
  }

  #watch(from: number): Script {
    return async (response) => {
      response.writeHead(200, { "content-type": "application/json" });
      response.flushHeaders();
      const tell = (change: Change) => send(response, change);
      for (const change of this.#changes) if (change.version > from) tell(change);
      this.#watchers.add(tell);
      await once(response, "close");
      this.#watchers.delete(tell);
    };
  }
}

function send(response: ServerResponse, { type, object }: Change): void {
  response.write(`${JSON.stringify({ type, object })}\n`);
}

/** RFC 7386. */
function merged(target: unknown, patch: unknown): unknown {
  if (!isMap(patch)) return patch;
  const result: Record<string, unknown> = isMap(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch))
    if (value === null) delete result[name];
    else result[name] = merged(result[name], value);
  return result;
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
