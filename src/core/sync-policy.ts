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
