import assert from "node:assert/strict";
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { test } from "node:test";
import type { UnderstudyError } from "../../src/core/errors.ts";
import { KubernetesApi } from "../../src/kubernetes-api/api.ts";
import { LEASE } from "../../src/kubernetes-api/kinds.ts";
import { watchObjects, type Seen, type WatchOptions } from "../../src/kubernetes-api/watch.ts";
import type { KubernetesObject } from "../../src/kubernetes-api/resource.ts";
import { eventually } from "../support/eventually.ts";
import { answer, refusal, ScriptedServer, silence, type Script } from "./scripted-server.ts";

function lease(name: string, resourceVersion: string): KubernetesObject {
  const { apiVersion, kind } = LEASE;
  return { apiVersion, kind, metadata: { name, namespace: "shop", resourceVersion } };
}

function listOf(resourceVersion: string, ...names: string[]): Script {
  const items = names.map((name) => lease(name, resourceVersion));
  return answer(200, { metadata: { resourceVersion }, items });
}

function event(type: string, name: string, resourceVersion: string): string {
  return `${JSON.stringify({ type, object: lease(name, resourceVersion) })}\n`;
}

/** A stream that goes on until somebody ends it. */
function open(...pieces: readonly string[]): Script {
  return async (response) => {
    await send(response, pieces);
    await once(response, "close");
  };
}

/** A stream that the server ends, as it does after a while. */
function ended(...pieces: readonly string[]): Script {
  return async (response) => {
    await send(response, pieces);
    response.end();
  };
}

async function send(response: ServerResponse, pieces: readonly string[]): Promise<void> {
  response.writeHead(200, { "content-type": "application/json" });
  response.flushHeaders();
  // Each in a packet of its own, as far as one can ask for that.
  for (const piece of pieces) await new Promise((resolve) => response.write(piece, resolve));
}

interface Limit {
  /** For each call. */
  readonly timeoutMs?: number;
}

/** What a watch tells in words, as long as the test runs. */
class Watching implements AsyncDisposable {
  readonly seen: string[] = [];
  readonly troubles: (string | null)[] = [];
  readonly #end = new AbortController();
  readonly #api: KubernetesApi;
  readonly #done: Promise<void>;

  constructor(
    server: ScriptedServer,
    { timeoutMs = 10_000, ...options }: Partial<WatchOptions<KubernetesObject>> & Limit = {},
  ) {
    this.#api = new KubernetesApi({ access: server.access(), timeoutMs });
    this.#done = watchObjects<KubernetesObject>(this.#api, {
      kind: LEASE,
      namespace: "shop",
      backoff: { firstMs: 1, limitMs: 10 },
      signal: this.#end.signal,
      onSeen: (seen) => this.seen.push(worded(seen)),
      onTrouble: (why: UnderstudyError | null) => this.troubles.push(why?.code ?? null),
      ...options,
    });
  }

  async end(): Promise<void> {
    this.#end.abort();
    await this.#done;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
    this.#api[Symbol.dispose]();
  }
}

function worded(seen: Seen<KubernetesObject>): string {
  if (seen.kind === "listed") return `listed ${seen.items.map(({ metadata }) => metadata.name)}`;
  return `${seen.kind} ${seen.object.metadata.name}`;
}

function fail(): never {
  throw new TypeError("a mistake of ours");
}

/** From which version each request went on; "" for a list. */
function versionsAsked(server: ScriptedServer): string[] {
  return server.received.map(({ query }) => query["resourceVersion"] ?? "");
}

async function hasSeen(watching: Watching, wanted: readonly string[]): Promise<void> {
  const looks = { seen: () => JSON.stringify([watching.seen, watching.troubles]) };
  await eventually("what is seen", () => watching.seen.length >= wanted.length, looks);
  assert.deepEqual(watching.seen, wanted);
}

test("what is listed is told, then each change, however the bytes are cut", async () => {
  const bytes = event("ADDED", "b", "6") + event("MODIFIED", "ä", "7") + event("DELETED", "b", "8");
  const cuts = [bytes.slice(0, 5), bytes.slice(5, 200), bytes.slice(200)];
  await using server = await ScriptedServer.start(listOf("5", "a"), open(...cuts));
  await using watching = new Watching(server, { fieldSelector: "metadata.name=izdb" });
  await hasSeen(watching, ["listed a", "put b", "put ä", "removed b"]);
  const [, watch] = server.received;
  assert.equal(watch?.query["allowWatchBookmarks"], "true");
  assert.equal(watch?.query["fieldSelector"], "metadata.name=izdb");
});

test("a watch that the server ends is taken up where it ended, bookmarks included", async () => {
  await using server = await ScriptedServer.start(
    listOf("5"),
    ended(event("ADDED", "a", "6"), event("BOOKMARK", "", "90")),
    (response) => void response.destroy(),
    open(event("MODIFIED", "a", "91")),
  );
  await using watching = new Watching(server);
  await hasSeen(watching, ["listed ", "put a", "put a"]);
  assert.deepEqual(versionsAsked(server), ["", "5", "90", "90"]);
});

test("where the server does not remember that far everything is listed again", async () => {
  const expired = { type: "ERROR", object: { kind: "Status", code: 410, reason: "Expired" } };
  await using server = await ScriptedServer.start(
    listOf("5", "a"),
    refusal(410, { reason: "Expired" }),
    listOf("50", "b"),
    ended(`${JSON.stringify(expired)}\n`),
    listOf("70", "c"),
    open(),
  );
  await using watching = new Watching(server);
  await hasSeen(watching, ["listed a", "listed b", "listed c"]);
  await eventually("the last watch", () => server.received.length === 6);
  assert.deepEqual(versionsAsked(server), ["", "5", "", "50", "", "70"]);
  assert.deepEqual(watching.troubles, []);
});

test("trouble is told once it is there and once it is over, and nothing is forgotten meanwhile", async () => {
  await using server = await ScriptedServer.start(
    refusal(403, { reason: "Forbidden" }),
    listOf("5", "a"),
    refusal(500, {}),
    ended("{no json\n"),
    open(event("ADDED", "b", "6")),
  );
  await using watching = new Watching(server);
  await hasSeen(watching, ["listed a", "put b"]);
  assert.deepEqual(watching.troubles, [
    "KUBERNETES_FORBIDDEN",
    "KUBERNETES_UNAVAILABLE",
    null,
    "KUBERNETES_UNAVAILABLE",
    null,
  ]);
  assert.deepEqual(versionsAsked(server), ["", "", "5", "5", "5"]);
});

test("a connection that has gone silent is left and taken up again", async () => {
  await using server = await ScriptedServer.start(
    listOf("5"),
    open(event("ADDED", "a", "6")),
    open(event("MODIFIED", "a", "7")),
  );
  await using watching = new Watching(server, { quietMs: 50 });
  await eventually("the second change", () => watching.seen.length >= 3);
  assert.deepEqual(watching.seen.slice(0, 3), ["listed ", "put a", "put a"]);
});

/** A refusal of which the end never comes: nothing after these bytes, or always more of them. */
function endlessRefusal(bytes: number, how: { goesOn: boolean }): Script {
  return async (response) => {
    response.writeHead(503, { "content-type": "application/json" });
    response.flushHeaders();
    const piece = "x".repeat(bytes);
    do await new Promise((resolve) => response.write(piece, resolve));
    while (how.goesOn && !response.destroyed);
    await once(response, "close");
  };
}

test("a refusal whose end never comes is left, and the watch taken up again", async () => {
  await using server = await ScriptedServer.start(
    listOf("5"),
    endlessRefusal(0, { goesOn: false }),
    endlessRefusal(100, { goesOn: false }),
    open(event("ADDED", "a", "6")),
  );
  await using watching = new Watching(server, { timeoutMs: 200 });
  await hasSeen(watching, ["listed ", "put a"]);
  assert.deepEqual(watching.troubles, ["KUBERNETES_UNAVAILABLE", "KUBERNETES_UNAVAILABLE", null]);
});

test("of a refusal that goes on for ever no more is read than is needed to tell it", async () => {
  await using server = await ScriptedServer.start(
    listOf("5"),
    endlessRefusal(20_000, { goesOn: true }),
    open(event("ADDED", "a", "6")),
  );
  const whys: string[] = [];
  // Far beyond the time in which so many bytes come, so that it is not the deadline that ends it.
  await using watching = new Watching(server, {
    timeoutMs: 60_000,
    onTrouble: (why) => whys.push(why?.message ?? ""),
  });
  await hasSeen(watching, ["listed ", "put a"]);
  assert.match(whys[0] ?? "", /^cannot watch each Lease in shop: x+$/);
});

test("a watch ends when it is told to, whatever it is at", async () => {
  for (const scripts of [[silence], [listOf("5"), silence], [listOf("5"), open()]]) {
    await using server = await ScriptedServer.start(...scripts);
    await using watching = new Watching(server);
    await eventually("the last request", () => server.received.length === scripts.length);
    await watching.end();
  }
});

test("what goes wrong where the changes are taken ends the watch and is thrown", async () => {
  await using server = await ScriptedServer.start(listOf("5", "a"), open());
  using api = new KubernetesApi({ access: server.access() });
  const { signal } = new AbortController();
  const work = watchObjects(api, { kind: LEASE, namespace: "shop", onSeen: fail, signal });
  await assert.rejects(work, TypeError);
});
