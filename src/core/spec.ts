// The specification: what a user wants a cluster to be. The same on one machine, on hosts and on
// Kubernetes.
import * as v from "valibot";
import { describeIssue } from "./describe-issue.ts";
import { UnderstudyError } from "./errors.ts";

export const API_VERSION = "understudy.dev/v1alpha1";
export const SUPPORTED_MAJORS = [10, 11, 12, 13, 14, 15, 16, 17, 18] as const;
export type Major = (typeof SUPPORTED_MAJORS)[number];
export const MAX_STANDBYS = 16;

export function isMajor(value: number): value is Major {
  return SUPPORTED_MAJORS.some((major) => major === value);
}

const postgresSchema = v.object({
  major: v.custom<Major>(
    (value) => typeof value === "number" && isMajor(value),
    "is no supported PostgreSQL major version (10 to 18)",
  ),
  /** PostgreSQL parameters of the user's own, by name; managed ones are refused. */
  parameters: v.optional(v.record(v.string(), v.string()), {}),
  /** Libraries for shared_preload_libraries, in order. */
  preload: v.optional(v.array(v.string()), []),
  /** The locale of the databases; C.UTF-8 where nothing is given. */
  locale: v.optional(v.string(), "C.UTF-8"),
});

const specSchema = v.object({
  apiVersion: v.literal(API_VERSION),
  kind: v.literal("PostgresCluster"),
  metadata: v.object({ name: v.string() }),
  spec: v.object({ postgres: postgresSchema }),
});

export type ClusterSpec = v.InferOutput<typeof specSchema>;
export type PostgresSpec = v.InferOutput<typeof postgresSchema>;

/** @throws UnderstudyError SPEC_CORRUPT naming the field. */
export function parseSpec(document: unknown): ClusterSpec {
  const parsed = v.safeParse(specSchema, document);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  throw new UnderstudyError(
    "SPEC_CORRUPT",
    `the specification is wrong at ${describeIssue(issue)}`,
  );
}
