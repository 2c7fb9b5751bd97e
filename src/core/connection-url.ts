// Connection strings for applications (manual, 34.1.1.2 "Connection URIs"): several hosts, and
// which of them the client wants. `prefer-standby` is known to libpq from 14 on.
import type { Secret } from "./secret.ts";

/** The role and the database that every cluster has for its application. */
export const APPLICATION_ROLE = "app";
export const APPLICATION_DATABASE = "app";

export type SessionWish = "read-write" | "prefer-standby" | "any";

export interface ConnectionTarget {
  readonly hosts: readonly { readonly host: string; readonly port: number }[];
  /** "any" says nothing, for a single member. */
  readonly wants: SessionWish;
  readonly user?: string;
  readonly database?: string;
  /** Without it the string has none. The result is then a secret itself. */
  readonly password?: Secret;
  /** Left out: as the client is set. */
  readonly tls?:
    | { readonly mode: "require" }
    /** `rootCertificate`: a path where the client is. */
    | { readonly mode: "verify-full"; readonly rootCertificate: string };
}

/** "postgresql://app@127.0.0.1:6431,127.0.0.1:6432/app?target_session_attrs=read-write". */
export function connectionUrl(target: ConnectionTarget): string {
  const user = encodeURIComponent(target.user ?? APPLICATION_ROLE);
  const password = target.password ? `:${encodeURIComponent(target.password.reveal())}` : "";
  const hosts = target.hosts.map((each) => `${hostInUrl(each.host)}:${each.port}`).join(",");
  const database = encodeURIComponent(target.database ?? APPLICATION_DATABASE);
  const query = parametersOf(target).map(([key, value]) => `${key}=${value}`);
  const asked = query.length === 0 ? "" : `?${query.join("&")}`;
  return `postgresql://${user}${password}@${hosts}/${database}${asked}`;
}

function parametersOf({ wants, tls }: ConnectionTarget): [string, string][] {
  const parameters: [string, string][] = [];
  if (wants !== "any") parameters.push(["target_session_attrs", wants]);
  if (tls !== undefined) parameters.push(["sslmode", tls.mode]);
  // Slashes may stand there as they are (RFC 3986, 3.4), and are read more easily.
  if (tls?.mode === "verify-full") parameters.push(["sslrootcert", encodeURI(tls.rootCertificate)]);
  return parameters;
}

function hostInUrl(host: string): string {
  return host.includes(":") ? `[${host}]` : encodeURIComponent(host);
}
