// What may be set of synchronous replication, and what of it does not go together.
import { MAX_STANDBYS } from "../spec.ts";
import { isDelayed } from "../cascade.ts";
import { lastLeader, type ClusterRecord, type SyncPolicy } from "../record.ts";
import { defineKey, type ConfigKey } from "./key.ts";
import { parseBoolean, parseWhole } from "./values.ts";

const sync = defineKey<ClusterRecord, SyncPolicy["mode"]>({
  name: "sync",
  takes: "on or off",
  meaning:
    "On: a commit is only acknowledged when standbys have it on disk, so that no failover loses it, whatever becomes of the primary's disk.",
  words: ["on", "off"],
  fallback: "off",
  parse: (text) => {
    const parsed = parseBoolean(text);
    return parsed === null ? null : { value: parsed.value ? "on" : "off" };
  },
  format: String,
  get: (record) => record.sync.mode,
  put: (record, mode) => withPolicy(record, { mode }),
});

const required = defineKey<ClusterRecord, number>({
  name: "required",
  takes: `a whole number from 1 to ${MAX_STANDBYS}`,
  meaning: "With sync=on: on how many standbys a commit has to be.",
  words: ["1", "2"],
  fallback: 1,
  parse: (text) => parseWhole(text, { from: 1, to: MAX_STANDBYS }),
  format: String,
  // Records from before synchronous mode have 0.
  get: (record) => Math.max(1, record.sync.required),
  put: (record, value) => withPolicy(record, { required: value }),
});

const whenUnavailable = defineKey<ClusterRecord, SyncPolicy["whenUnavailable"]>({
  name: "whenUnavailable",
  takes: "block or degrade",
  meaning:
    "With sync=on, when fewer standbys stream than are required: commits wait until one is back (block), or after five seconds they go on with those that there are, and without any where there is none (degrade).",
  words: ["block", "degrade"],
  fallback: "block",
  parse: (text) => {
    const word = text.toLowerCase();
    return word === "block" || word === "degrade" ? { value: word } : null;
  },
  format: String,
  get: (record) => record.sync.whenUnavailable,
  put: (record, value) => withPolicy(record, { whenUnavailable: value }),
});

export const SYNC_KEYS: readonly ConfigKey<ClusterRecord>[] = [sync, required, whenUnavailable];

function withPolicy(record: ClusterRecord, policy: Partial<SyncPolicy>): ClusterRecord {
  const atLeastOne = Math.max(1, record.sync.required);
  return { ...record, sync: { ...record.sync, required: atLeastOne, ...policy } };
}

/**
 * Why the cluster cannot do what is wanted, one sentence; null where it can, and where it could do
 * no better before: what mends a part of it, or has nothing to do with it, must not be refused.
 */
export function syncObjection(record: ClusterRecord, before: ClusterRecord): string | null {
  const lacking = shortageOf(record);
  if (lacking <= 0 || lacking <= shortageOf(before)) return null;
  const others = ableStandbys(record);
  return `commits cannot wait for ${record.sync.required} standbys: ${others.length === 0 ? "there is none that they may wait for" : `they may only wait for ${others.join(", ")}`}`;
}

/** How many standbys are missing of those that commits are to wait for. */
function shortageOf(record: ClusterRecord): number {
  const { mode, required: wanted } = record.sync;
  return mode === "off" ? 0 : Math.max(0, wanted - ableStandbys(record).length);
}

function ableStandbys(record: ClusterRecord): readonly string[] {
  return Object.entries(record.members)
    .filter(([, { tags }]) => tags.nofailover !== true && (tags.from ?? null) === null)
    .filter(([name, member]) => name !== lastLeader(record) && !isDelayed(member))
    .map(([name]) => name);
}
