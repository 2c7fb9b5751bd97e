// The cluster's Secrets: made once, with passwords that are drawn by whoever calls this. The only
// place of this folder in which a password is written down.
import {
  APPLICATION_DATABASE,
  APPLICATION_ROLE,
  connectionUrl,
  type ConnectionTarget,
} from "../../core/connection-url.ts";
import { SUPERUSER } from "../../core/role.ts";
import type { Secret } from "../../core/secret.ts";
import type { PostgresCluster } from "../resource/postgres-cluster.ts";
import { manifest, type Manifest, type Surroundings } from "./manifest.ts";
import { secretName, serviceName } from "./names.ts";

export interface ClusterPasswords {
  readonly superuser: Secret;
  readonly application: Secret;
  readonly replication: Secret;
  /** Bearer token of the agents' control requests. */
  readonly apiToken: Secret;
}

/** The only one of these that is brought up to date: who vouches for the servers. */
export const TRUSTED_KEY = "ca.crt";

export function secrets(
  cluster: PostgresCluster,
  of: { passwords: ClusterPasswords; trusted: string | null; surroundings: Surroundings },
): Manifest[] {
  const { passwords, trusted } = of;
  const name = (kind: "superuser" | "app" | "agents") => secretName(cluster.name, kind);
  const { superuser, application, replication, apiToken } = passwords;
  return [
    secret(cluster, {
      name: name("superuser"),
      type: "kubernetes.io/basic-auth",
      // No address: the superuser is let in from the pod itself alone, whatever leads to it.
      texts: {
        username: SUPERUSER,
        password: superuser.reveal(),
        dbname: "postgres",
        ...(trusted === null ? {} : { [TRUSTED_KEY]: trusted }),
      },
    }),
    secret(cluster, {
      name: name("app"),
      type: "kubernetes.io/basic-auth",
      texts: accessTexts(cluster, {
        ...of,
        login: {
          secret: name("app"),
          user: APPLICATION_ROLE,
          database: APPLICATION_DATABASE,
          password: application,
        },
      }),
    }),
    secret(cluster, {
      name: name("agents"),
      type: "Opaque",
      texts: { replication: replication.reveal(), token: apiToken.reveal() },
    }),
  ];
}

interface Login {
  /** The Secret in which it is told. */
  readonly secret: string;
  readonly user: string;
  readonly database: string;
  readonly password: Secret;
}

/** The keys that charts and frameworks look for. */
function accessTexts(
  { name, namespace, spec }: PostgresCluster,
  of: { login: Login; trusted: string | null; surroundings: Surroundings },
): Record<string, string> {
  const { trusted, surroundings } = of;
  const { secret: told, user, database, password } = of.login;
  const host = serviceName(name, "write");
  const fullHost = `${host}.${namespace}.svc.${surroundings.clusterDomain}`;
  const { port } = spec.services.write;
  const url = (at: string, tls: ConnectionTarget["tls"] = { mode: "require" }) =>
    connectionUrl({ hosts: [{ host: at, port }], wants: "any", user, database, password, tls });
  const parameters = new URLSearchParams({
    user,
    password: password.reveal(),
    sslmode: "require",
  });
  return {
    username: user,
    password: password.reveal(),
    host,
    port: String(port),
    dbname: database,
    uri: url(host),
    "fqdn-uri": url(fullHost),
    "verified-uri": url(fullHost, { mode: "verify-full", rootCertificate: rootCertificate(told) }),
    "jdbc-uri": `jdbc:postgresql://${host}:${port}/${database}?${parameters}`,
    pgpass: [host, String(port), database, user, password.reveal()].map(inPgpass).join(":"),
    ...(trusted === null ? {} : { [TRUSTED_KEY]: trusted }),
  };
}

/** Where a pod is to mount the Secret, for whoever takes the address that verifies the server. */
function rootCertificate(secretsName: string): string {
  return `/etc/${secretsName}/${TRUSTED_KEY}`;
}

/** Manual, 34.16 "The Password File". */
function inPgpass(text: string): string {
  return text.replaceAll(/[\\:]/g, "\\$&");
}

function secret(
  cluster: PostgresCluster,
  of: { name: string; type: string; texts: Readonly<Record<string, string>> },
): Manifest {
  const { name, type, texts } = of;
  return manifest(cluster, {
    apiVersion: "v1",
    kind: "Secret",
    name,
    // Data that is kept is of no use to who has lost its passwords.
    isKept: true,
    body: { type, stringData: texts },
  });
}
