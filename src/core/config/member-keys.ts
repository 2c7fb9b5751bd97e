// What may be set for one member, `understudy member`: its tags in the record.
import { upstreamObjection } from "../cascade.ts";
import { formatDurationMs, parseDurationMs } from "../duration.ts";
import type { ClusterRecord, RecordMember } from "../record.ts";
import { defineKey, type ConfigKey, type ConfigScope } from "./key.ts";
import { syncObjection } from "./sync-keys.ts";
import { parseBoolean, parseWhole, TRUE_OR_FALSE } from "./values.ts";

/** As the value of `from`: nobody in particular. */
export const PRIMARY = "primary";
const NO_DELAY = "none";
const PRIORITIES = { from: -1000, to: 1000 } as const;

const nofailover = defineKey<RecordMember, boolean>({
  name: "nofailover",
  takes: TRUE_OR_FALSE,
  meaning: "It never becomes the primary by itself, nor by a switchover that does not name it.",
  words: ["true", "false"],
  fallback: false,
  parse: parseBoolean,
  format: String,
  get: (member) => member.tags.nofailover ?? false,
  put: (member, value) => withTags(member, { nofailover: value }),
});

const priority = defineKey<RecordMember, number>({
  name: "priority",
  takes: `a whole number from ${PRIORITIES.from} to ${PRIORITIES.to}`,
  meaning: "Of standbys that have equally much WAL the one with the highest becomes the primary.",
  words: ["0", "100"],
  fallback: 0,
  parse: (text) => parseWhole(text, PRIORITIES),
  format: String,
  get: (member) => member.tags.priority ?? 0,
  put: (member, value) => withTags(member, { priority: value }),
});

const noreads = defineKey<RecordMember, boolean>({
  name: "noreads",
  takes: TRUE_OR_FALSE,
  meaning:
    "As a standby it gets no reads of applications: it is not in the read URL, and `sql --read` and balancers pass it over.",
  words: ["true", "false"],
  fallback: false,
  parse: parseBoolean,
  format: String,
  get: (member) => member.tags.noreads ?? false,
  put: (member, value) => withTags(member, { noreads: value }),
});

const from = defineKey<RecordMember, string | null>({
  name: "from",
  takes: `a member's name, or ${PRIMARY}`,
  meaning:
    "As a standby it streams from that member (cascading), and from the primary while that one is away or leads itself.",
  words: [PRIMARY],
  fallback: null,
  parse: (text) => ({ value: text === PRIMARY ? null : text }),
  format: (value) => value ?? PRIMARY,
  get: (member) => member.tags.from ?? null,
  put: (member, value) => withTags(member, { from: value }),
});

const delay = defineKey<RecordMember, number | null>({
  name: "delay",
  takes: `a duration such as 1h, or ${NO_DELAY}`,
  meaning:
    "As a standby it replays what it has received only after this long. It takes no reads, no commit waits for it, and it becomes the primary only where no other member can, after it has replayed everything.",
  words: ["1h", NO_DELAY],
  fallback: null,
  parse: parseDelay,
  format: (ms) => (ms === null ? NO_DELAY : formatDurationMs(ms)),
  get: (member) => member.tags.delayMs ?? null,
  put: (member, value) => withTags(member, { delayMs: value }),
});

/** What PostgreSQL takes for recovery_min_apply_delay is an int of milliseconds. */
function parseDelay(text: string): { readonly value: number | null } | null {
  if (text.toLowerCase() === NO_DELAY) return { value: null };
  const ms = parseDurationMs(text);
  if (ms === null || ms >= 2 ** 31) return null;
  return { value: ms === 0 ? null : ms };
}

export const MEMBER_KEYS: readonly ConfigKey<RecordMember>[] = [
  nofailover,
  priority,
  noreads,
  from,
  delay,
];

/** @param name of a member that the record has */
export function memberScope(name: string, member: RecordMember): ConfigScope<RecordMember> {
  return {
    keys: MEMBER_KEYS,
    // It may have been removed since: then nothing is put back.
    get: (record) => record.members[name] ?? member,
    put: (record, changed) =>
      name in record.members
        ? { ...record, members: { ...record.members, [name]: changed } }
        : record,
    objection: (record, before) => memberObjection(name, { record, before }),
  };
}

function memberObjection(
  name: string,
  { record, before }: { readonly record: ClusterRecord; readonly before: ClusterRecord },
): string | null {
  if (!(name in record.members)) return `the cluster has no member ${JSON.stringify(name)}`;
  return syncObjection(record, before) ?? upstreamObjection(record);
}

function withTags(member: RecordMember, tags: Partial<RecordMember["tags"]>): RecordMember {
  return { ...member, tags: { ...member.tags, ...tags } };
}
