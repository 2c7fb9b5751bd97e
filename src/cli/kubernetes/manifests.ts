// understudy kubernetes manifests: clusters as plain objects, from a file.
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import type { Readable } from "node:stream";
import { parseAllDocuments } from "yaml";
import { messageOf, UnderstudyError } from "../../core/errors.ts";
import { Secret } from "../../core/secret.ts";
import { trusted, type Authority } from "../../kubernetes/certificates/authority.ts";
import {
  authoritySecret,
  unattendedCertificates,
} from "../../kubernetes/certificates/certificate-secrets.ts";
import { missingCertificates } from "../../kubernetes/certificates/missing-certificates.ts";
import { clusterObjects } from "../../kubernetes/objects/cluster-objects.ts";
import {
  CURRENT_KUBERNETES,
  type Manifest,
  type Surroundings,
} from "../../kubernetes/objects/manifest.ts";
import {
  engineSpecification,
  readPostgresCluster,
  type PostgresCluster,
} from "../../kubernetes/resource/postgres-cluster.ts";
import type { ManifestOptions } from "../commands/kubernetes.ts";
import { parameterObjections } from "./parameter-objections.ts";
import { toDocuments } from "./documents.ts";
import { givenSecrets } from "./given-secrets.ts";

/** @throws UnderstudyError USAGE. */
export async function readInput(file: string, stdin: Readable): Promise<string> {
  if (file === "-") return text(stdin);
  return readFile(file, "utf8").catch((cause: unknown) => {
    throw new UnderstudyError("USAGE", `cannot read ${file}: ${messageOf(cause)}`, { cause });
  });
}

type Wanted = Omit<ManifestOptions, "filename" | "authority"> & {
  /** The text of its file. */
  readonly authority?: string | undefined;
  /** For those that name none. */
  readonly namespace?: string | undefined;
};

/** @throws UnderstudyError SPEC_INVALID, SPEC_CORRUPT, NAME_INVALID. */
export function clusterDocuments(input: string, options: Wanted): string {
  const clusters = documentsIn(input);
  if (clusters.length === 0) throw invalid("it holds no document");
  return clusters.map((document) => documentsOf(document, options)).join("");
}

function documentsIn(input: string): unknown[] {
  const parsed = parseAllDocuments(input);
  if (!Array.isArray(parsed)) return [];
  return parsed.flatMap((document) => {
    const [error] = document.errors;
    if (error !== undefined) throw invalid(error.message.split("\n")[0] ?? "it is no YAML");
    const value: unknown = document.toJS();
    return value === null ? [] : [value];
  });
}

function documentsOf(document: unknown, options: Wanted): string {
  const { metadata } = Object(document);
  const namespace = Object(metadata).namespace ?? options.namespace;
  const placed = { ...Object(metadata), ...(namespace === undefined ? {} : { namespace }) };
  // Nothing owns them: there is no object that they belong to.
  const cluster = readPostgresCluster({ ...Object(document), metadata: { ...placed, uid: null } });
  const { parameters } = engineSpecification(cluster).spec.postgres;
  const [objection] = parameterObjections(parameters);
  if (objection !== undefined) throw invalid(objection);
  const { agentImage, clusterDomain } = options;
  const has =
    options.olderKubernetes === true ? { policyV1: false, discoveryV1: false } : CURRENT_KUBERNETES;
  const surroundings = { agentImage, clusterDomain, operatorNamespace: null, has };
  const { authority, secrets } = certificatesOf(cluster, { options, surroundings });
  const { founded, applied } = clusterObjects(cluster, {
    passwords: {
      superuser: drawn(),
      application: drawn(),
      replication: drawn(),
      apiToken: drawn(),
    },
    trusted: trusted(authority),
    surroundings,
  });
  if (options.onlyApplied === true)
    return `${secrets.length === 0 ? "" : ISSUED}${toDocuments(secrets)}${ALWAYS}${toDocuments(applied)}`;
  const once = `${ONCE}${toDocuments([...secrets, ...founded])}`;
  return `${once}${ALWAYS}${toDocuments(applied)}`;
}

/** Of an authority of its own, or by the one that is given what that has not issued yet. */
function certificatesOf(
  cluster: PostgresCluster,
  of: { options: Wanted; surroundings: Surroundings },
): { authority: Authority; secrets: Manifest[] } {
  const { options, surroundings } = of;
  const now = new Date();
  const { authority: given, onlyApplied = false } = options;
  if (given === undefined) {
    const made = unattendedCertificates(cluster, { surroundings, now });
    return onlyApplied ? { ...made, secrets: [] } : made;
  }
  const { authority, present } = givenSecrets(given, cluster);
  const missing = missingCertificates(cluster, { authority, present, surroundings, now });
  const own = onlyApplied ? [] : [authoritySecret(cluster, authority)];
  return { authority, secrets: [...own, ...missing] };
}

const ISSUED = `# Issued by the authority that was given, for ten years: what was not among the Secrets of its file.
`;
const ONCE = `# Made once (kubectl create): passwords and certificates are new each time that this is printed,
# and the record and the endpoints are the agents' from then on. The certificates are good for ten
# years, as no operator renews them. Where another authority issues yours (cert-manager), leave
# these Secrets out: a member's needs the keys tls.crt, tls.key and ca.crt.
`;
const ALWAYS = "# These may be applied again and again (kubectl apply --server-side).\n";

function drawn(): Secret {
  return new Secret(randomBytes(24).toString("base64url"));
}

function invalid(why: string): UnderstudyError {
  return new UnderstudyError("SPEC_INVALID", `cannot make objects of the file: ${why}`);
}
