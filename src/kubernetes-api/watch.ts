// Keeps looking at objects: lists them, then follows their changes, for as long as it is wanted.
// A watch ends all the time (the server's limit, a restart, a proxy): it is taken up where it
// ended, and where the server does not remember that any more, everything is listed again.
import type { IncomingMessage } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { UnderstudyError, messageOf } from "../core/errors.ts";
import type { KubernetesApi, Selection } from "./api.ts";
import { isObject } from "./answers.ts";
import { pauseMs, type Backoff } from "./backoff.ts";
import { JsonLines } from "./json-lines.ts";
import { errorOf, isExpired, parseRefusal } from "./refusal.ts";
import { describePlace, type KubernetesObject, type ResourceKind } from "./resource.ts";

export type Seen<T> =
  /** All that there are now: whatever is not among them is gone. */
  | { readonly kind: "listed"; readonly items: readonly T[] }
  | { readonly kind: "put"; readonly object: T }
  /** As it was last. */
  | { readonly kind: "removed"; readonly object: T };

export interface WatchOptions<T> extends Selection {
  readonly kind: ResourceKind;
  /** Called for each change, in order. What it throws ends the watch. */
  readonly onSeen: (seen: Seen<T>) => void;
  /** Called when it does not work, with why, and with null when it works again. */
  readonly onTrouble?: (why: UnderstudyError | null) => void;
  /** Ends it. */
  readonly signal: AbortSignal;
  readonly backoff?: Backoff;
  /** So long a connection may be silent; the server sends a bookmark each minute. */
  readonly quietMs?: number;
  /** From 0 to 1; default: chance. */
  readonly chance?: () => number;
}

interface Position {
  /** Null: nothing has been listed yet, or it is too old by now. */
  resourceVersion: string | null;
}

const DEFAULT_BACKOFF: Backoff = { firstMs: 200, limitMs: 30_000 };
const DEFAULT_QUIET_MS = 90_000;
/** After which the server ends a watch by itself: between this and twice this. */
const WATCH_SECONDS = 240;
/** One that ends sooner than this has not worked, even if nothing complained. */
const SOON_MS = 1_000;

/** Ends when the signal says so, and then without a word. */
export async function watchObjects<T extends KubernetesObject>(
  api: KubernetesApi,
  options: WatchOptions<T>,
): Promise<void> {
  const { signal, onTrouble, backoff = DEFAULT_BACKOFF, chance = Math.random } = options;
  const position: Position = { resourceVersion: null };
  let failures = 0;
  let isTroubled = false;
  const onOpen = () => {
    if (isTroubled) onTrouble?.(null);
    isTroubled = false;
  };
  const onEvent = () => (failures = 0);
  while (!signal.aborted) {
    const begunMs = performance.now();
    let trouble: UnderstudyError | null = null;
    try {
      if (position.resourceVersion === null) await relist(api, { options, position });
      await follow(api, { options, position, onOpen, onEvent });
    } catch (thrown) {
      // What the callbacks throw is not the server's doing.
      if (!(thrown instanceof UnderstudyError) && !signal.aborted) throw thrown;
      trouble = thrown instanceof UnderstudyError ? thrown : null;
    }
    if (signal.aborted) return;
    const hasWorked = trouble === null && performance.now() - begunMs >= SOON_MS;
    failures = hasWorked ? 0 : failures + 1;
    if (hasWorked) continue;
    if (trouble !== null) {
      isTroubled = true;
      onTrouble?.(trouble);
    }
    await rest(pauseMs(backoff, { failures, chance: chance() }), signal);
  }
}

async function relist<T extends KubernetesObject>(
  api: KubernetesApi,
  { options, position }: { options: WatchOptions<T>; position: Position },
): Promise<void> {
  const { kind, signal, onSeen } = options;
  const { items, resourceVersion } = await api.list<T>(kind, selectionOf(options), { signal });
  onSeen({ kind: "listed", items });
  position.resourceVersion = resourceVersion;
}

/** Until the server ends it, or does not remember the position. */
async function follow<T extends KubernetesObject>(
  api: KubernetesApi,
  of: { options: WatchOptions<T>; position: Position; onOpen: () => void; onEvent: () => void },
): Promise<void> {
  const { options, position, onOpen, onEvent } = of;
  const { kind, signal, chance = Math.random, quietMs = DEFAULT_QUIET_MS } = options;
  const { resourceVersion } = position;
  if (resourceVersion === null) return;
  const timeoutSeconds = Math.round(WATCH_SECONDS * (1 + chance()));
  const selection = { ...selectionOf(options), resourceVersion, timeoutSeconds };
  const body = await api.stream(kind, selection, { signal });
  if (body === null) {
    position.resourceVersion = null;
    return;
  }
  onOpen();
  const purpose = `watch ${describePlace(kind, options)}`;
  for await (const event of eventsOf(body, { purpose, quietMs })) {
    const seen = parseEvent<T>(event, purpose);
    if (seen === "expired") {
      position.resourceVersion = null;
      return;
    }
    if (seen.kind !== "bookmark") options.onSeen(seen);
    position.resourceVersion = seen.object.metadata.resourceVersion ?? resourceVersion;
    onEvent();
  }
}

/** The documents of a stream; one that breaks off is as one that ends. */
async function* eventsOf(
  body: IncomingMessage,
  { purpose, quietMs }: { purpose: string; quietMs: number },
): AsyncGenerator<unknown> {
  const lines = new JsonLines();
  const quiet = setTimeout(() => body.destroy(), quietMs);
  try {
    for await (const chunk of body) {
      quiet.refresh();
      yield* parseLines(lines, { chunk, purpose });
    }
  } catch (thrown) {
    // A connection that is gone is taken up again; it says nothing that the next one does not.
    if (thrown instanceof UnderstudyError) throw thrown;
    if (!isConnectionError(thrown)) throw thrown;
  } finally {
    clearTimeout(quiet);
    body.destroy();
  }
}

function parseLines(lines: JsonLines, of: { chunk: Buffer; purpose: string }): unknown[] {
  try {
    return lines.push(of.chunk);
  } catch (cause) {
    throw unreadable(of.purpose, messageOf(cause));
  }
}

function parseEvent<T extends KubernetesObject>(
  event: unknown,
  purpose: string,
): Exclude<Seen<T>, { kind: "listed" }> | { kind: "bookmark"; object: T } | "expired" {
  const { type, object } = Object(event) as { type?: unknown; object?: unknown };
  if (type === "ERROR") {
    const refusal = parseRefusal({ status: 500, text: JSON.stringify(object) ?? "" });
    if (isExpired(refusal)) return "expired";
    throw errorOf(refusal, purpose);
  }
  if (isObject<T>(object)) {
    if (type === "ADDED" || type === "MODIFIED") return { kind: "put", object };
    if (type === "DELETED") return { kind: "removed", object };
    if (type === "BOOKMARK") return { kind: "bookmark", object };
  }
  throw unreadable(purpose, `an event of type ${JSON.stringify(type)} is not known`);
}

function unreadable(purpose: string, why: string): UnderstudyError {
  return new UnderstudyError("KUBERNETES_UNAVAILABLE", `cannot ${purpose}: ${why}`);
}

function selectionOf({ namespace, labelSelector, fieldSelector }: Selection): Selection {
  return {
    ...(namespace === undefined ? {} : { namespace }),
    ...(labelSelector === undefined ? {} : { labelSelector }),
    ...(fieldSelector === undefined ? {} : { fieldSelector }),
  };
}

async function rest(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => {});
}

/** Node's own errors of sockets and streams have a code; mistakes of ours have none. */
function isConnectionError(thrown: unknown): boolean {
  return thrown instanceof Error && "code" in thrown && typeof thrown.code === "string";
}
