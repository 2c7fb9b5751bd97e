// A cluster's certificates as Secrets, in the form that cert-manager gives them: the authority's,
// each member's own, and the one by which members replicate.
import { REPLICATION_ROLE } from "../../core/role.ts";
import type { KubernetesObject } from "../../kubernetes-api/resource.ts";
import { manifest, type Manifest, type Surroundings } from "../objects/manifest.ts";
import {
  certificateName,
  memberNames,
  membersServiceName,
  podName,
  secretName,
  serviceName,
  type ServiceRole,
} from "../objects/names.ts";
import type { PostgresCluster } from "../resource/postgres-cluster.ts";
import {
  certificatesIn,
  isPair,
  issue,
  LIFE_MS,
  newSigner,
  trusted,
  type Authority,
  type Issue,
  type Signer,
} from "./authority.ts";

/** The keys of such a Secret; the first is of others too, as whom to trust. */
export const KEY = { trusted: "ca.crt", certificate: "tls.crt", key: "tls.key" } as const;
const AUTHORITY_KEY = {
  current: { certificate: "ca.crt", key: "ca.key" },
  next: { certificate: "next.crt", key: "next.key" },
  former: "former.crt",
} as const;

export interface WantedCertificate {
  /** The Secret's name. */
  readonly name: string;
  readonly issue: Issue;
}

/** All that is issued for a cluster of this size. */
export function wantedCertificates(
  cluster: PostgresCluster,
  surroundings: Pick<Surroundings, "clusterDomain">,
): WantedCertificate[] {
  const servers = memberNames(cluster).map((member): WantedCertificate => {
    const names = namesOfMember(cluster, { ...surroundings, member });
    return { name: certificateName(member), issue: { commonName: member, use: "server", names } };
  });
  const commonName = REPLICATION_ROLE;
  const replication: Issue = { commonName, use: "client", names: [] };
  return [...servers, { name: secretName(cluster.name, "replication"), issue: replication }];
}

/** Its own name first: by that the others know it, wherever its pod is. */
function namesOfMember(
  { name, namespace }: PostgresCluster,
  of: { member: string; clusterDomain: string },
): string[] {
  const { member, clusterDomain } = of;
  const ends = ["", `.${namespace}`, `.${namespace}.svc`, `.${namespace}.svc.${clusterDomain}`];
  const roles: readonly ServiceRole[] = ["write", "read", "any"];
  const hosts = [
    `${podName(member)}.${membersServiceName(name)}`,
    ...roles.map((role) => serviceName(name, role)),
  ];
  // Whoever forwards a port to it (kubectl port-forward) calls it so.
  return [member, ...hosts.flatMap((host) => ends.map((end) => `${host}${end}`)), "localhost"];
}

export function authoritySecret(cluster: PostgresCluster, authority: Authority): Manifest {
  return manifest(cluster, {
    apiVersion: "v1",
    kind: "Secret",
    name: secretName(cluster.name, "ca"),
    // Applications know it: data that is kept is found again by the same authority.
    isKept: true,
    body: { type: "Opaque", stringData: authorityTexts(authority) },
  });
}

export function authorityTexts({ current, next, former }: Authority): Record<string, string> {
  const keys = AUTHORITY_KEY;
  return {
    [keys.current.certificate]: current.certificate,
    [keys.current.key]: current.key,
    // Empty, so that what was there is replaced.
    [keys.next.certificate]: next?.certificate ?? "",
    [keys.next.key]: next?.key ?? "",
    [keys.former]: former.join(""),
  };
}

export function certificateSecret(
  cluster: PostgresCluster,
  of: { wanted: WantedCertificate; signer: Signer; authority: Authority },
): Manifest {
  const { wanted, signer, authority } = of;
  return manifest(cluster, {
    apiVersion: "v1",
    kind: "Secret",
    name: wanted.name,
    body: { type: "kubernetes.io/tls", stringData: certificateTexts(signer, authority) },
  });
}

export function certificateTexts(signer: Signer, authority: Authority): Record<string, string> {
  return {
    [KEY.trusted]: trusted(authority),
    [KEY.certificate]: signer.certificate,
    [KEY.key]: signer.key,
  };
}

/** Null where it is damaged. */
export function readAuthority(secret: KubernetesObject): Authority | null {
  const signer = (of: { certificate: string; key: string }): Signer | null => {
    const read = { certificate: textIn(secret, of.certificate), key: textIn(secret, of.key) };
    return isPair(read) ? read : null;
  };
  const current = signer(AUTHORITY_KEY.current);
  if (current === null) return null;
  const former = certificatesIn(textIn(secret, AUTHORITY_KEY.former));
  return { current, next: signer(AUTHORITY_KEY.next), former };
}

export function readSigner(secret: KubernetesObject): Signer {
  return { certificate: textIn(secret, KEY.certificate), key: textIn(secret, KEY.key) };
}

/** "" where there is no such key. */
export function textIn(secret: KubernetesObject, key: string): string {
  const text: unknown = Object(Object(secret)["data"])[key];
  return typeof text === "string" ? Buffer.from(text, "base64").toString("utf8") : "";
}

/** Made now, for as long as the authority lives: nobody is there who would renew them. */
export function unattendedCertificates(
  cluster: PostgresCluster,
  of: { surroundings: Surroundings; now: Date },
): { authority: Authority; secrets: Manifest[] } {
  const { surroundings, now } = of;
  const authority: Authority = { current: newSigner(cluster.name, now), next: null, former: [] };
  const leaves = wantedCertificates(cluster, surroundings).map((wanted) => {
    const signer = issue(authority, { wanted: wanted.issue, now, lifeMs: LIFE_MS.unattended });
    return certificateSecret(cluster, { wanted, signer, authority });
  });
  return { authority, secrets: [authoritySecret(cluster, authority), ...leaves] };
}
