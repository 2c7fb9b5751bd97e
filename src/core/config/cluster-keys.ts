// What may be set for a whole cluster, `understudy config`: Understudy's own policy. PostgreSQL's
// parameters are not here, they have `understudy param`.
import { formatByteSize, parseByteSize } from "../byte-size.ts";
import type { ClusterRecord } from "../record.ts";
import { defineKey, type ConfigKey, type ConfigScope } from "./key.ts";
import { SYNC_KEYS, syncObjection } from "./sync-keys.ts";

const NO_LIMIT = "none";

const maximumLag = defineKey<ClusterRecord, number | null>({
  name: "maximumLag",
  takes: `a size such as 16MB, or ${NO_LIMIT}`,
  meaning:
    "A standby that lacks more than this of the primary's last known WAL does not take over by itself; a person may let it.",
  words: ["16MB", NO_LIMIT],
  fallback: null,
  parse: (text) => {
    if (text.toLowerCase() === NO_LIMIT) return { value: null };
    const value = parseByteSize(text);
    return value === null ? null : { value };
  },
  format: (bytes) => (bytes === null ? NO_LIMIT : formatByteSize(bytes)),
  get: (record) => record.policy.maximumLagBytes,
  put: (record, maximumLagBytes) => ({ ...record, policy: { ...record.policy, maximumLagBytes } }),
});

export const CLUSTER_KEYS: readonly ConfigKey<ClusterRecord>[] = [...SYNC_KEYS, maximumLag];

export const CLUSTER_SCOPE: ConfigScope<ClusterRecord> = {
  keys: CLUSTER_KEYS,
  get: (record) => record,
  put: (_, changed) => changed,
  objection: syncObjection,
};
