// What an agent in a pod is told: the specification, how the cluster is founded and its secrets,
// each in a file of one directory that the kubelet fills and replaces.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { describeIssue } from "../core/describe-issue.ts";
import { UnderstudyError, messageOf } from "../core/errors.ts";
import { Secret } from "../core/secret.ts";
import { parseSpec, type Major } from "../core/spec.ts";
import {
  findInstallation,
  type FoundInstallation,
} from "../postgres/binaries/find-installation.ts";
import type { ClusterFile, ClusterSecrets } from "./cluster-file.ts";

const foundingSchema = v.object({
  /** The first of them makes the data. */
  members: v.array(v.string()),
  /** Of the object that it was made from; agents say it, so that it is seen who was told. */
  generation: v.optional(v.number(), 0),
  ttlMs: v.number(),
  sync: v.object({
    mode: v.picklist(["off", "on"]),
    required: v.number(),
    whenUnavailable: v.optional(v.picklist(["block", "degrade"]), "block"),
  }),
  /** The leader brings `sync` into the record when it changes; elsewhere the operator does. */
  keepsSync: v.optional(v.boolean(), false),
  /** Where applications may come from. */
  networks: v.optional(v.array(v.string())),
  /** Standbys further behind are not among the readers; null: however far. */
  maxLagBytes: v.optional(v.nullable(v.number()), null),
});

export interface Told {
  /** That it was read from; see readToldText. */
  readonly text: string;
  readonly file: ClusterFile;
  readonly secrets: ClusterSecrets;
  readonly founding: v.InferOutput<typeof foundingSchema>;
}

/** All that is read again while a pod runs, as one text. @throws UnderstudyError SPEC_CORRUPT. */
export async function readToldText(directory: string): Promise<string> {
  const files = ["specification.json", "founding.json"].map((name) =>
    readOne(join(directory, name)),
  );
  return (await Promise.all(files)).join("\n");
}

/** @throws UnderstudyError SPEC_CORRUPT, and what findInstallation throws. */
export async function readTold(directory: string): Promise<Told> {
  const text = (name: string) => readOne(join(directory, name));
  // Before the files: a change in between is then seen as one.
  const whole = await readToldText(directory);
  const specification = parseSpec(JSON.parse(await text("specification.json")));
  const founding = v.safeParse(foundingSchema, JSON.parse(await text("founding.json")));
  if (!founding.success)
    throw new UnderstudyError(
      "SPEC_CORRUPT",
      `founding.json in ${directory} is wrong at ${describeIssue(founding.issues[0])}`,
    );
  const { networks } = founding.output;
  const found = await findInImage(directory, specification.spec.postgres.major);
  const secret = async (name: string) => new Secret((await text(join("secrets", name))).trim());
  return {
    text: whole,
    founding: founding.output,
    file: {
      specification,
      ...(networks === undefined ? {} : { applicationNetworks: networks }),
      installation: found.installation,
      installationReason: found.reason,
      osUser: null,
      preloadVersions: {},
    },
    secrets: {
      superuser: await secret("superuser"),
      replication: await secret("replication"),
      application: await secret("application"),
      apiToken: await secret("apiToken"),
    },
  };
}

/** The image has it, or nobody has. @throws UnderstudyError POSTGRES_NOT_FOUND. */
async function findInImage(directory: string, major: Major): Promise<FoundInstallation> {
  try {
    const cacheDir = join(directory, "none");
    return await findInstallation({ major, env: process.env, cacheDir, offline: true });
  } catch (thrown) {
    if (!(thrown instanceof UnderstudyError) || thrown.code !== "POSTGRES_NOT_FOUND") throw thrown;
    const { looked } = thrown.details;
    const seen = Array.isArray(looked) && looked.length > 0 ? ` (${looked.join("; ")})` : "";
    throw new UnderstudyError(
      "POSTGRES_NOT_FOUND",
      `the image has no PostgreSQL ${major} that can be used${seen}`,
      { cause: thrown, hint: `Name an image of PostgreSQL ${major} in spec.postgres.image.` },
    );
  }
}

async function readOne(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new UnderstudyError("SPEC_CORRUPT", `cannot read ${path}: ${messageOf(cause)}`, {
      cause,
      hint: "The pod's volume of what it is told must have this file.",
    });
  }
}
