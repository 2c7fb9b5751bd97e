// Whether an object is as it was applied, so that nothing needs to be written. Pure.
import { createHash } from "node:crypto";
import type { KubernetesObject } from "../../kubernetes-api/resource.ts";

/** Every field that is wanted is there and says the same; what is there beside them is others'. */
export function covers(live: unknown, wanted: unknown): boolean {
  if (wanted === undefined || wanted === null) return true;
  if (Array.isArray(wanted)) return coversList(live ?? [], wanted);
  if (typeof wanted === "object") {
    const fields = Object(live ?? {});
    return Object.entries(wanted).every(([field, each]) => covers(fields[field], each));
  }
  // The server leaves out what is as if it were not said, and writes amounts as texts.
  if (live === undefined) return wanted === "" || wanted === false;
  return String(live) === String(wanted);
}

function coversList(live: unknown, wanted: readonly unknown[]): boolean {
  if (!Array.isArray(live) || live.length !== wanted.length) return false;
  return wanted.every((each, index) => covers(live[index], each));
}

/** Of what people and controllers decide of an object: not of its version, nor of what becomes. */
export function contentDigest(object: KubernetesObject): string {
  const { metadata, ...rest } = object;
  const { resourceVersion: _version, generation: _generation, ...about } = metadata;
  return digest({ ...rest, status: undefined, metadata: { ...about, managedFields: undefined } });
}

export function digest(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 16);
}
