// What the API server answers, read: objects, lists of them page by page, and what became of a
// change.
import { UnderstudyError, messageOf } from "../core/errors.ts";
import type { Answer } from "./exchange.ts";
import { errorOf, isAbsent, parseRefusal, type Refusal } from "./refusal.ts";
import type { KubernetesObject, ResourceKind } from "./resource.ts";

/** What became of a change that was made to one version of an object. */
export type Changed<T> =
  | { readonly kind: "changed"; readonly object: T }
  /** Somebody else has changed it since, or has made or deleted it: read it again. */
  | { readonly kind: "other"; readonly why: string };

/** Of a list that comes in several answers. */
interface Page<T> {
  readonly items: readonly T[];
  readonly resourceVersion: string;
  /** Where the next page begins; null: this was the last. */
  readonly next: string | null;
}

/** There is a newer version than was meant, or none any more. */
export function isSuperseded(refusal: Refusal): boolean {
  return isAbsent(refusal) || refusal.reason === "Conflict";
}

/** @throws UnderstudyError KUBERNETES_* unless it was done, or `isOther` says so of the refusal. */
export function changedOf<T extends KubernetesObject>(
  answer: Answer,
  of: { purpose: string; isOther: (refusal: Refusal) => boolean },
): Changed<T> {
  if (answer.status < 300)
    return { kind: "changed", object: parseObject<T>(answer.text, of.purpose) };
  const refusal = parseRefusal(answer);
  if (of.isOther(refusal)) return { kind: "other", why: refusal.message };
  throw errorOf(refusal, of.purpose);
}

/** @throws UnderstudyError KUBERNETES_UNAVAILABLE where it is none. */
export function parseObject<T extends KubernetesObject>(text: string, purpose: string): T {
  const document = parseDocument(text, purpose);
  if (isObject<T>(document)) return document;
  throw unexpected(purpose, "the answer is no object");
}

/** Whether it has what every object has; that the rest is of its kind is the server's word. */
export function isObject<T extends KubernetesObject>(document: unknown): document is T {
  if (typeof document !== "object" || document === null || !("metadata" in document)) return false;
  const { metadata } = document;
  return typeof metadata === "object" && metadata !== null && "resourceVersion" in metadata;
}

/** @throws UnderstudyError KUBERNETES_UNAVAILABLE where it is no list of that kind. */
export function parsePage<T extends KubernetesObject>(
  text: string,
  of: { kind: ResourceKind; purpose: string },
): Page<T> {
  const { apiVersion, kind } = of.kind;
  const document = parseDocument(text, of.purpose);
  if (!isObject(document) || !("items" in document) || !Array.isArray(document.items))
    throw unexpected(of.purpose, "the answer is no list");
  const metadata: { resourceVersion?: string; continue?: string } = document.metadata;
  // The items of a list do not say of which kind they are.
  const items = document.items.map((item): unknown => Object.assign({ apiVersion, kind }, item));
  if (!items.every((item) => isObject<T>(item)))
    throw unexpected(of.purpose, "the answer lists what is no object");
  return {
    items,
    resourceVersion: metadata.resourceVersion ?? "",
    next: metadata.continue || null,
  };
}

/** Of an APIResourceList: the kinds of one version, subresources ("pods/log") among them. */
export function parsePlurals(text: string, purpose: string): string[] {
  const { resources } = Object(parseDocument(text, purpose));
  if (!Array.isArray(resources)) throw unexpected(purpose, "the answer lists no kinds");
  return resources.map((each) => String(Object(each).name));
}

function parseDocument(text: string, purpose: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw unexpected(purpose, messageOf(cause));
  }
}

function unexpected(purpose: string, why: string): UnderstudyError {
  return new UnderstudyError("KUBERNETES_UNAVAILABLE", `cannot ${purpose}: ${why}`);
}
