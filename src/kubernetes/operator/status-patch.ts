// The smallest change that makes one status of another: null where nothing has changed, so that
// nothing is written then. Pure.
import type { PostgresClusterStatus } from "../resource/status-schema.ts";
import { digest } from "./covers.ts";

/** A merge patch (RFC 7386) for the status subresource. */
export function statusPatch(
  before: PostgresClusterStatus | null,
  { after }: { after: PostgresClusterStatus },
): Readonly<Record<string, unknown>> | null {
  const old: Readonly<Record<string, unknown>> = { ...before };
  const wanted: Readonly<Record<string, unknown>> = { ...after };
  const fields = new Set([...Object.keys(old), ...Object.keys(wanted)]);
  const changed = [...fields].filter((field) => textOf(old[field]) !== textOf(wanted[field]));
  if (changed.length === 0) return null;
  return { status: Object.fromEntries(changed.map((field) => [field, wanted[field] ?? null])) };
}

/** The server gives fields back in another order. */
function textOf(value: unknown): string {
  return digest(inOrder(value) ?? null);
}

function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([field, each]) => [field, inOrder(each)]));
}
