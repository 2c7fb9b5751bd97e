// The two files that a cluster's members share on one machine: the specification with the
// PostgreSQL that was chosen for it, and the secrets. Written whole (temporary name, fsync,
// rename, fsync of the directory), read anew whenever the record's generation has risen.
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import * as v from "valibot";
import { describeIssue } from "../core/describe-issue.ts";
import { UnderstudyError, codeOf, messageOf } from "../core/errors.ts";
import { Secret } from "../core/secret.ts";
import { isMajor, parseSpec, type ClusterSpec, type Major } from "../core/spec.ts";
import type { Installation } from "../postgres/installation.ts";
import { checkReachable } from "../postgres/os-user.ts";
import { writeWhole } from "../postgres/write-whole.ts";

export interface ClusterFile {
  readonly specification: ClusterSpec;
  /** Chosen once; a data directory is only ever opened by this build's family. */
  readonly installation: Installation;
  /** Why that one, for people. */
  readonly installationReason: string;
  /**
   * The account that agents and servers run as when root starts them; null: whoever starts them.
   */
  readonly osUser: string | null;
  /** Where applications may come from, as CIDR; this machine, where nothing is said. */
  readonly applicationNetworks?: readonly string[];
  /** Of each preloaded library, as it was when all members were last started; null: it has none. */
  readonly preloadVersions: Readonly<Record<string, string | null>>;
}

export interface ClusterSecrets {
  /** Of the PostgreSQL superuser, used by the agents alone. */
  readonly superuser: Secret;
  readonly replication: Secret;
  /** Of the applications' role. */
  readonly application: Secret;
  /** Bearer token of the agents' control requests. */
  readonly apiToken: Secret;
}

const fileSchema = v.object({
  specification: v.unknown(),
  installation: v.object({
    binDir: v.string(),
    major: v.custom<Major>((value) => typeof value === "number" && isMajor(value)),
    version: v.string(),
    family: v.string(),
    shareDir: v.string(),
    libDir: v.string(),
    tools: v.array(v.string()),
  }),
  installationReason: v.string(),
  osUser: v.nullable(v.string()),
  preloadVersions: v.optional(v.record(v.string(), v.nullable(v.string())), {}),
});

const secretsSchema = v.object({
  superuser: v.string(),
  replication: v.string(),
  application: v.string(),
  apiToken: v.string(),
});

/** @throws UnderstudyError CLUSTER_NOT_FOUND, SPEC_CORRUPT or DIRECTORY_NOT_WRITABLE. */
export async function readClusterFile(path: string): Promise<ClusterFile> {
  const file = checked({ path, schema: fileSchema, document: await readJson(path) });
  return { ...file, specification: parseSpec(file.specification) };
}

export async function writeClusterFile(path: string, file: ClusterFile): Promise<void> {
  await writeWhole(path, `${JSON.stringify(file, null, 2)}\n`);
}

/** @throws UnderstudyError CLUSTER_NOT_FOUND, SPEC_CORRUPT or DIRECTORY_NOT_WRITABLE. */
export async function readSecrets(path: string): Promise<ClusterSecrets> {
  const texts = checked({ path, schema: secretsSchema, document: await readJson(path) });
  return {
    superuser: new Secret(texts.superuser),
    replication: new Secret(texts.replication),
    application: new Secret(texts.application),
    apiToken: new Secret(texts.apiToken),
  };
}

/** Makes new ones, of 144 bits each. */
export async function createSecrets(path: string): Promise<void> {
  const texts = {
    superuser: fresh(),
    replication: fresh(),
    application: fresh(),
    apiToken: fresh(),
  };
  await writeWhole(path, `${JSON.stringify(texts, null, 2)}\n`);
}

function fresh(): string {
  return randomBytes(18).toString("base64url");
}

async function readJson(path: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    if (["ENOENT", "ENOTDIR"].includes(codeOf(cause) ?? ""))
      throw new UnderstudyError(
        "CLUSTER_NOT_FOUND",
        `there is no cluster here: ${path} does not exist`,
      );
    if (["EACCES", "EPERM"].includes(codeOf(cause) ?? "")) throw await notForUs(path, cause);
    throw new UnderstudyError("SPEC_CORRUPT", `cannot read ${path}: ${messageOf(cause)}`, {
      cause,
    });
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new UnderstudyError("SPEC_CORRUPT", `${path} is no JSON: ${messageOf(cause)}`, { cause });
  }
}

/** Another user's cluster, or a place that this one may not look into: nothing is wrong with it. */
async function notForUs(path: string, cause: unknown): Promise<UnderstudyError> {
  const inTheWay = await checkReachable(dirname(path), null, "enter");
  return new UnderstudyError(
    "DIRECTORY_NOT_WRITABLE",
    inTheWay ?? `cannot read ${path}: ${messageOf(cause)}`,
    { cause, hint: "Run it as the user who owns that, or choose another directory with --dir." },
  );
}

function checked<Schema extends v.GenericSchema>(file: {
  path: string;
  schema: Schema;
  document: unknown;
}): v.InferOutput<Schema> {
  const parsed = v.safeParse(file.schema, file.document);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  throw new UnderstudyError("SPEC_CORRUPT", `${file.path} is wrong at ${describeIssue(issue)}`);
}
