// Which of the users' parameters would undo what synchronous replication promises. Pure.
import type { SyncPolicy } from "./record.ts";

const WAITS_FOR_NOBODY = new Set(["off", "local", "false", "no", "0"]);

/**
 * Why the two do not go together, one sentence; null where they do. Of a transaction, a role or a
 * database of its own a user may choose otherwise: that is then nobody's surprise.
 */
export function durabilityObjection(
  policy: Pick<SyncPolicy, "mode">,
  parameters: Readonly<Record<string, string>>,
): string | null {
  if (policy.mode === "off") return null;
  const [, value] =
    Object.entries(parameters).find(([name]) => name.toLowerCase() === "synchronous_commit") ?? [];
  if (value === undefined || !WAITS_FOR_NOBODY.has(value.trim().toLowerCase())) return null;
  return `synchronous_commit=${value} for everybody would have commits wait for no standby, and sync is on`;
}
