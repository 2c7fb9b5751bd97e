// The Secrets of a file, as kubectl gives them or as manifests has printed them: a cluster's
// authority, and the certificates that it has issued.
import { parseAllDocuments } from "yaml";
import { UnderstudyError } from "../../core/errors.ts";
import type { KubernetesObject } from "../../kubernetes-api/resource.ts";
import type { Authority, Signer } from "../../kubernetes/certificates/authority.ts";
import { readAuthority, readSigner } from "../../kubernetes/certificates/certificate-secrets.ts";
import { secretName } from "../../kubernetes/objects/names.ts";
import type { PostgresCluster } from "../../kubernetes/resource/postgres-cluster.ts";

export interface GivenSecrets {
  readonly authority: Authority;
  /** By the names of their Secrets. */
  readonly present: ReadonlyMap<string, Signer>;
}

/** @throws UnderstudyError USAGE where the cluster's authority is not among them, or is damaged. */
export function givenSecrets(text: string, cluster: PostgresCluster): GivenSecrets {
  const { name, namespace } = cluster;
  const own = secretsIn(text).filter(
    ({ metadata }) => metadata.namespace === undefined || metadata.namespace === namespace,
  );
  const wanted = secretName(name, "ca");
  const found = own.find(({ metadata }) => metadata.name === wanted);
  const authority = found === undefined ? null : readAuthority(found);
  if (authority === null)
    throw new UnderstudyError(
      "USAGE",
      found === undefined
        ? `the file of --authority has no Secret ${wanted} of the namespace ${namespace}`
        : `the Secret ${wanted} in the file of --authority has no certificate with its key`,
      {
        hint: `Have it from Kubernetes: kubectl get secret -n ${namespace} -l understudy.dev/cluster=${name} -o yaml`,
      },
    );
  return { authority, present: new Map(own.map((each) => [each.metadata.name, readSigner(each)])) };
}

function secretsIn(text: string): KubernetesObject[] {
  const parsed = parseAllDocuments(text);
  if (!Array.isArray(parsed)) return [];
  return parsed.flatMap((document) => {
    const [error] = document.errors;
    if (error !== undefined)
      throw new UnderstudyError(
        "USAGE",
        `the file of --authority is no YAML: ${error.message.split("\n")[0]}`,
      );
    const value: unknown = document.toJS();
    const { kind, items } = Object(value);
    const objects: unknown[] = kind === "List" && Array.isArray(items) ? items : [value];
    return objects.filter(isSecret).map(withData);
  });
}

function isSecret(value: unknown): value is KubernetesObject {
  const { kind, metadata } = Object(value);
  return kind === "Secret" && typeof Object(metadata).name === "string";
}

/** As it is in the API, also where it is told in words. */
function withData(secret: KubernetesObject): KubernetesObject {
  const told: Record<string, unknown> = Object(Object(secret)["stringData"]);
  const encoded = Object.entries(told).map(([key, value]) => [
    key,
    Buffer.from(String(value)).toString("base64"),
  ]);
  const data = { ...Object(Object(secret)["data"]), ...Object.fromEntries(encoded) };
  return Object.assign({}, secret, { data });
}
