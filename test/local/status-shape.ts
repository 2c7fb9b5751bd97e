// The shape of `status --json` as it was promised (issue 2, item 6): every key, and the type of its
// value. `reason`, `progress`,
// `takesReads`, `upstream`, `delayMs`, `fenced` and `settings` of a member and `sync` came on top.
import assert from "node:assert/strict";
import * as v from "valibot";

const nullableNumber = v.nullable(v.number());
const lsn = v.nullable(v.pipe(v.string(), v.regex(/^[0-9A-F]+\/[0-9A-F]+$/)));

const memberSchema = v.strictObject({
  name: v.string(),
  role: v.picklist(["primary", "standby", "none"]),
  state: v.picklist([
    "running",
    "streaming",
    "catching-up",
    "starting",
    "cloning",
    "rewinding",
    "stopped",
    "fenced",
    "failed",
    "unreachable",
  ]),
  reason: v.nullable(v.string()),
  host: v.string(),
  port: v.number(),
  pid: nullableNumber,
  timeline: nullableNumber,
  writeLsn: lsn,
  flushLsn: lsn,
  replayLsn: lsn,
  receiveLagBytes: nullableNumber,
  replayLagBytes: nullableNumber,
  replayLagSeconds: nullableNumber,
  sync: v.nullable(v.picklist(["async", "sync", "quorum"])),
  upstream: v.nullable(v.string()),
  delayMs: nullableNumber,
  slot: v.nullable(v.string()),
  progress: v.nullable(v.unknown()),
  takesReads: v.boolean(),
  fenced: v.boolean(),
  settings: v.record(v.string(), v.string()),
  warnings: v.array(v.string()),
});

const statusSchema = v.strictObject({
  apiVersion: v.string(),
  kind: v.literal("ClusterStatus"),
  cluster: v.string(),
  state: v.picklist(["healthy", "degraded", "no-primary", "paused"]),
  term: v.number(),
  systemId: v.nullable(v.pipe(v.string(), v.regex(/^\d+$/))),
  primary: v.nullable(v.string()),
  timeline: nullableNumber,
  postgresVersion: v.nullable(v.string()),
  members: v.array(memberSchema),
  endpoints: v.strictObject({ write: v.string(), read: v.string() }),
  sync: v.strictObject({
    mode: v.picklist(["off", "on"]),
    required: v.number(),
    whenUnavailable: v.picklist(["block", "degrade"]),
    guarantee: v.nullable(v.strictObject({ required: v.number(), members: v.array(v.string()) })),
  }),
  warnings: v.array(v.string()),
});

export function assertStatusShape(document: unknown): void {
  const parsed = v.safeParse(statusSchema, document);
  const problems = parsed.success
    ? []
    : parsed.issues.map((issue) => `${v.getDotPath(issue) ?? "root"}: ${issue.message}`);
  assert.deepEqual(problems, []);
}
