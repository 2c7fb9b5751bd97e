// The record: the one document that the members of a cluster agree on. A few kilobytes, changed
// only by compare-and-set. What can be asked of a member directly (LSN, lag, state) is not in it.
import * as v from "valibot";
import { describeIssue } from "./describe-issue.ts";
import { UnderstudyError } from "./errors.ts";
import { forkSchema } from "./fork.ts";

/** Raised when an older Understudy could misunderstand what a newer one writes. */
export const RECORD_VERSION = 1;
const HISTORY_LIMIT = 50;
const SYNC_OFF: SyncPolicy = { mode: "off", required: 1, whenUnavailable: "block" };

const memberSchema = v.object({
  /** Where PostgreSQL listens. */
  host: v.string(),
  port: v.number(),
  /** Where the agent's HTTP API listens, on the same host. */
  apiPort: v.number(),
  /** The name in its certificate, where both speak TLS; left out: they do not. */
  tlsName: v.optional(v.string()),
  /**
   * Of its agent's present run, where members live on hosts of their own; made anew by each run.
   */
  session: v.optional(v.string()),
  tags: v.optional(
    v.object({
      nofailover: v.optional(v.boolean()),
      priority: v.optional(v.number()),
      noreads: v.optional(v.boolean()),
      /** The member that it streams from while it is a standby; null: the primary. */
      from: v.optional(v.nullable(v.string())),
      /** How long it holds back what it has received before it replays it; null: not at all. */
      delayMs: v.optional(v.nullable(v.number())),
    }),
    {},
  ),
});

const recordSchema = v.object({
  version: v.literal(RECORD_VERSION),
  cluster: v.string(),
  /** PostgreSQL's system identifier; null until the first member has made its data. */
  systemId: v.nullable(v.string()),
  /** Rises by one each time the lease changes hands; 0 before the first. */
  term: v.number(),
  leader: v.nullable(
    v.object({
      member: v.string(),
      /** Rises with every renewal: an observer that sees it change knows that the leader lived. */
      renewals: v.number(),
      /** The leader's write position and timeline at its last renewal. */
      lsn: v.nullable(v.string()),
      timeline: v.nullable(v.number()),
    }),
  ),
  /**
   * The only member that may take a free lease without being asked: named at bootstrap and at a
   * hand-over.
   */
  heir: v.nullable(v.string()),
  /**
   * Nobody leads and nobody is named: the best standby may take the lease by itself. False while a
   * person decides who.
   */
  electing: v.boolean(),
  /** How the last lead ended, for people. */
  ended: v.optional(
    v.nullable(
      v.object({
        member: v.string(),
        /** Who freed its lease, and under which rule. */
        by: v.string(),
        rule: v.string(),
        /** For how long it had taken no writes by then; null where that is not known. */
        downMs: v.nullable(v.number()),
        /** Of its agent's run, where that was proven to be over: nobody is there to be asked. */
        session: v.optional(v.string()),
      }),
    ),
    null,
  ),
  /**
   * The last position at which a leader was known to take writes, where the present one tells none.
   */
  lastKnown: v.optional(v.nullable(v.object({ lsn: v.string(), timeline: v.number() })), null),
  /** Of the leader's history, oldest first: which term began which timeline. */
  forks: v.array(forkSchema),
  ttlMs: v.number(),
  members: v.record(v.string(), memberSchema),
  sync: v.object({
    /** What a person wants. */
    mode: v.picklist(["off", "on"]),
    required: v.number(),
    whenUnavailable: v.optional(v.picklist(["block", "degrade"]), "block"),
    /**
     * What is certain now: every acknowledged commit is on so many of these members. Null: nothing.
     * See protocol/quorum.ts.
     */
    guarantee: v.optional(
      v.nullable(
        v.object({
          required: v.number(),
          members: v.pipe(v.array(v.string()), v.readonly()),
          renewed: v.pipe(v.optional(v.array(v.string()), []), v.readonly()),
        }),
      ),
      null,
    ),
    /** Rises whenever a member begins to copy the leader: what was seen of it before is void. */
    copies: v.optional(v.number(), 0),
    /** The policy that was last brought here from what agents in pods are told (sync-wish.ts). */
    wished: v.optional(
      v.object({
        mode: v.picklist(["off", "on"]),
        required: v.number(),
        whenUnavailable: v.picklist(["block", "degrade"]),
      }),
    ),
  }),
  switchover: v.nullable(v.object({ from: v.string(), to: v.string() })),
  /** A switchover for which a person has named a time; ends with any other change of the leader. */
  scheduled: v.optional(
    v.nullable(
      v.object({
        /** Wall clock, RFC 3339 UTC: of the leader's agent, when it comes to that. */
        at: v.string(),
        /** Null: the best standby at that time. */
        to: v.nullable(v.string()),
      }),
    ),
    null,
  ),
  paused: v.boolean(),
  /** Members whose servers stay stopped, whatever happens, until a person unfences them. */
  fenced: v.optional(v.array(v.string()), []),
  /** What a person has set for the whole cluster: see core/config. */
  policy: v.optional(
    v.object({
      /** No standby that lacks more of the primary's WAL takes over by itself; null: no limit. */
      maximumLagBytes: v.optional(v.nullable(v.number()), null),
    }),
    {},
  ),
  /**
   * Rises with every change of the specification; an agent that has applied it says so in its
   * status.
   */
  generation: v.number(),
  /** The newest changes of hands, oldest first. */
  history: v.array(
    v.object({
      term: v.number(),
      member: v.string(),
      timeline: v.nullable(v.number()),
      lsn: v.nullable(v.string()),
      /** Wall clock, RFC 3339 UTC: for people, never compared. */
      at: v.string(),
      reason: v.string(),
    }),
  ),
});

export type ClusterRecord = v.InferOutput<typeof recordSchema>;
/** What a person wants of synchronous replication. */
export type SyncPolicy = Readonly<
  Pick<ClusterRecord["sync"], "mode" | "required" | "whenUnavailable">
>;
export type RecordMember = v.InferOutput<typeof memberSchema>;

/** A cluster that has never run: `founder` will make the data. */
export function newRecord(from: {
  cluster: string;
  founder: string;
  ttlMs: number;
  members: Record<string, RecordMember>;
  /** Default: off. */
  sync?: SyncPolicy;
}): ClusterRecord {
  return {
    version: RECORD_VERSION,
    cluster: from.cluster,
    systemId: null,
    term: 0,
    leader: null,
    heir: from.founder,
    electing: false,
    ended: null,
    lastKnown: null,
    forks: [],
    ttlMs: from.ttlMs,
    members: from.members,
    sync: { ...(from.sync ?? SYNC_OFF), guarantee: null, copies: 0 },
    switchover: null,
    scheduled: null,
    paused: false,
    fenced: [],
    policy: { maximumLagBytes: null },
    generation: 1,
    history: [],
  };
}

/**
 * Reads a stored record.
 * @throws UnderstudyError RECORD_TOO_NEW or RECORD_CORRUPT, naming the field.
 */
export function parseRecord(text: string): ClusterRecord {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (cause) {
    throw new UnderstudyError("RECORD_CORRUPT", "the cluster's record is no JSON", { cause });
  }
  const version =
    typeof document === "object" && document !== null && "version" in document
      ? document.version
      : undefined;
  if (typeof version === "number" && version > RECORD_VERSION)
    throw new UnderstudyError(
      "RECORD_TOO_NEW",
      `the cluster's record has version ${version}, this Understudy knows ${RECORD_VERSION}`,
    );
  const parsed = v.safeParse(recordSchema, document);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  throw new UnderstudyError(
    "RECORD_CORRUPT",
    `the cluster's record cannot be understood at ${describeIssue(issue)}`,
  );
}

export function formatRecord(record: ClusterRecord): string {
  return JSON.stringify(record);
}

/**
 * Who leads, or is named to, or led last: where nobody leads, only a person can put another in its
 * place.
 */
export function lastLeader(record: ClusterRecord): string | null {
  return record.leader?.member ?? record.heir ?? record.history.at(-1)?.member ?? null;
}

/** Where a leader was last known to take writes; null where none was ever. */
export function lastKnownPosition(record: ClusterRecord): ClusterRecord["lastKnown"] {
  const { lsn = null, timeline = null } = record.leader ?? {};
  return lsn === null || timeline === null ? record.lastKnown : { lsn, timeline };
}

/** The history with one entry more, bounded. */
export function withHistory(
  history: ClusterRecord["history"],
  entry: ClusterRecord["history"][number],
): ClusterRecord["history"] {
  return [...history, entry].slice(-HISTORY_LIMIT);
}
