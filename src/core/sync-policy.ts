// What a person wants of synchronous replication, as the record has it. What is promised of that
// now is the leader's to say (protocol/quorum.ts).
import type { ClusterRecord, SyncPolicy } from "./record.ts";

export function isSamePolicy(one: SyncPolicy, { other }: { other: SyncPolicy }): boolean {
  return (
    one.mode === other.mode &&
    one.required === other.required &&
    one.whenUnavailable === other.whenUnavailable
  );
}

/** What a person wants of synchronous replication. Null: it is so already. */
export function setSyncPolicy(record: ClusterRecord, policy: SyncPolicy): ClusterRecord | null {
  if (isSamePolicy(record.sync, { other: policy })) return null;
  const { mode, required, whenUnavailable } = policy;
  return { ...record, sync: { ...record.sync, mode, required, whenUnavailable } };
}

/** The same as agents in pods are told it, once for each wish. Null: it was brought already. */
export function bringSyncWish(record: ClusterRecord, wish: SyncPolicy): ClusterRecord | null {
  const { wished } = record.sync;
  if (wished !== undefined && isSamePolicy(wished, { other: wish })) return null;
  const { sync } = setSyncPolicy(record, wish) ?? record;
  const { mode, required, whenUnavailable } = wish;
  return { ...record, sync: { ...sync, wished: { mode, required, whenUnavailable } } };
}
