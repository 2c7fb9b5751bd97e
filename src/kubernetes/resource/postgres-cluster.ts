// A PostgresCluster as it is read: checked whole, with a sentence for whatever is wrong, and what
// the engine needs of it.
import { isIP } from "node:net";
import * as v from "valibot";
import { UnderstudyError } from "../../core/errors.ts";
import { checkClusterName } from "../../core/name.ts";
import { API_VERSION, isMajor, parseSpec, type ClusterSpec, type Major } from "../../core/spec.ts";
import { specSchema, type PostgresClusterSpec } from "./cluster-schema.ts";

export interface PostgresCluster {
  readonly name: string;
  readonly namespace: string;
  /** Null: it is no object of an API server, but of a file. */
  readonly uid: string | null;
  readonly generation: number;
  /**
   * Whatever the annotation RESTART_ANNOTATION says: another text has every pod replaced. Null: it
   * was never asked for.
   */
  readonly restart: string | null;
  readonly spec: PostgresClusterSpec;
  /** Said, or read from the image's tag. */
  readonly major: Major;
}

/** `kubectl annotate --overwrite postgrescluster izdb understudy.dev/restart="$(date)"`. */
export const RESTART_ANNOTATION = "understudy.dev/restart";

const metadataSchema = v.object({
  name: v.string(),
  namespace: v.optional(v.string(), "default"),
  uid: v.optional(v.nullable(v.string()), null),
  generation: v.optional(v.number(), 1),
  annotations: v.optional(v.record(v.string(), v.string()), {}),
});

/** The kind and its version are looked at before anything else. */
const headSchema = v.object({
  apiVersion: v.literal(API_VERSION),
  kind: v.literal("PostgresCluster"),
  metadata: metadataSchema,
  spec: v.unknown(),
});

/**
 * @throws UnderstudyError SPEC_INVALID (its details list every problem), NAME_INVALID.
 */
export function readPostgresCluster(document: unknown): PostgresCluster {
  const head = v.safeParse(headSchema, document);
  if (!head.success) throw invalid("the object", head.issues.map(sentenceOf));
  const { metadata, spec: asked } = head.output;
  const name = checkClusterName(metadata.name);
  const parsed = v.safeParse(v.object({ spec: specSchema }), { spec: asked });
  if (!parsed.success) throw invalid(name, parsed.issues.map(sentenceOf));
  const { spec } = parsed.output;
  const wrong = wrongNetworks(spec);
  if (wrong.length > 0) throw invalid(name, wrong);
  const { namespace, uid, generation, annotations } = metadata;
  const restart = annotations[RESTART_ANNOTATION] ?? null;
  return { name, namespace, uid, generation, restart, spec, major: majorOf(spec, name) };
}

/** What no pattern tells: that it is an address before the slash. */
function wrongNetworks({ access }: PostgresClusterSpec): string[] {
  return access.flatMap(({ cidr }, index) =>
    cidr === undefined || isIP(cidr.split("/")[0] ?? "") !== 0
      ? []
      : [`"spec.access.${index}.cidr": it must be like 10.0.0.0/8, not "${cidr}"`],
  );
}

/** What the engine is told, here as elsewhere. @throws UnderstudyError SPEC_CORRUPT. */
export function engineSpecification({ name, spec, major }: PostgresCluster): ClusterSpec {
  const { parameters, preload, locale } = spec.postgres;
  const texts = Object.entries(parameters).map(([key, value]) => [key, String(value)]);
  return parseSpec({
    apiVersion: API_VERSION,
    kind: "PostgresCluster",
    metadata: { name },
    spec: { postgres: { major, parameters: Object.fromEntries(texts), preload, locale } },
  });
}

/**
 * What must not be changed in a cluster that there is, one sentence for each; where its data is, is
 * looked at apart (moved-volumes.ts). The newer Kubernetes check some of it themselves.
 */
export function objectionsToChange(from: PostgresCluster, to: PostgresCluster): string[] {
  const objections: string[] = [];
  if (from.major !== to.major)
    objections.push(
      `spec.postgres: the data is of PostgreSQL ${from.major}, and ${to.spec.postgres.image} is ${to.major}; a new major version needs an upgrade, which a change of the image is not`,
    );
  const fixed = {
    "spec.postgres.locale": [from.spec.postgres.locale, to.spec.postgres.locale],
    "spec.storage.storageClass": [from.spec.storage?.storageClass, to.spec.storage?.storageClass],
    "spec.storage.wal.storageClass": [
      from.spec.storage?.wal?.storageClass,
      to.spec.storage?.wal?.storageClass,
    ],
  };
  for (const [path, [before, after]] of Object.entries(fixed))
    if (before !== after)
      objections.push(
        `${path}: it stays ${before ?? "what it was"}; it cannot become ${after ?? "another"}`,
      );
  // Whoever leads counts by the lease that it knows: an observer with a shorter one would be early.
  if (from.spec.leaseSeconds !== to.spec.leaseSeconds)
    objections.push(
      `spec.leaseSeconds: it stays ${from.spec.leaseSeconds}; the lease of a cluster that runs cannot be changed yet`,
    );
  return objections;
}

/**
 * Of a tag such as 18, 18.4-alpine or latest-pg16: the number after "pg", else the first one.
 * @returns null where the tag tells none, as a digest alone does.
 */
export function majorOfImage(image: string): Major | null {
  const [reference = ""] = image.split("@");
  const tag = /:([^:/]+)$/.exec(reference)?.[1] ?? "";
  const number = Number(
    /(?:^|[^a-z])pg-?(\d{2})(?!\d)/.exec(tag)?.[1] ?? /^(\d{2})(?!\d)/.exec(tag)?.[1],
  );
  return isMajor(number) ? number : null;
}

/** Alpine's PostgreSQL is of another user than Debian's, also in images that are made of it. */
export function uidOf({ image, uid }: PostgresClusterSpec["postgres"]): number {
  if (uid !== undefined) return uid;
  const isAlpine = /alpine|(^|\/)timescale\/timescaledb:/.test(image);
  return isAlpine ? 70 : 999;
}

function majorOf({ postgres }: PostgresClusterSpec, name: string): Major {
  const { image, major } = postgres;
  const told = majorOfImage(image);
  if (major === undefined && told !== null) return told;
  if (major === undefined)
    throw invalid(name, [
      `"spec.postgres.major": it is missing, and the image ${image} does not tell it by its tag`,
    ]);
  if (told !== null && told !== major)
    throw invalid(name, [`"spec.postgres.major": it says ${major}, and the image is ${image}`]);
  if (isMajor(major)) return major;
  throw invalid(name, [`"spec.postgres.major": ${major} is not supported`]);
}

function invalid(what: string, problems: readonly string[]): UnderstudyError {
  const [first = "it is empty"] = problems;
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : "";
  return new UnderstudyError("SPEC_INVALID", `${what} cannot be made: ${first}${more}`, {
    details: { problems: [...new Set(problems)] },
  });
}

function sentenceOf(issue: v.BaseIssue<unknown>): string {
  const place = v.getDotPath(issue) ?? "its root";
  const problem = issue.received === "undefined" ? "it is missing" : issue.message;
  return `"${place}": ${problem}`;
}
