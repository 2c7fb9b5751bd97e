// The Kubernetes API as kubectl reaches it: KUBECONFIG, else ~/.kube/config, with a context, its
// cluster and its user. Relative paths are of the file that names them.
import { readFile } from "node:fs/promises";
import { delimiter, dirname, join, resolve } from "node:path";
import * as yaml from "yaml";
import { codeOf, messageOf, UnderstudyError } from "../../core/errors.ts";
import { Secret } from "../../core/secret.ts";
import type { ApiAccess, Credentials } from "../../kubernetes-api/access.ts";
import { runExec } from "./exec-credentials.ts";

export interface KubeAccess {
  readonly access: ApiAccess;
  /** Of the context; "default" where it names none. */
  readonly namespace: string;
  readonly context: string;
}

export interface KubeOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Undefined: the file's current one. */
  readonly context?: string | undefined;
}

type Fields = Readonly<Record<string, unknown>>;

interface Entry {
  readonly fields: Fields;
  /** Where the file is that it stands in. */
  readonly directory: string;
}

interface Config {
  readonly current: string | null;
  readonly contexts: ReadonlyMap<string, Entry>;
  readonly clusters: ReadonlyMap<string, Entry>;
  readonly users: ReadonlyMap<string, Entry>;
}

/** @throws UnderstudyError KUBECONFIG_NOT_FOUND, KUBECONFIG_INVALID. */
export async function readKubeconfig(options: KubeOptions): Promise<KubeAccess> {
  const config = await readFiles(filesOf(options.env));
  const name = options.context ?? config.current;
  if (name === null)
    throw notFound("the kubeconfig has no current context", "Name one with --context.");
  const context = entryOf(config.contexts, { what: "context", name });
  const cluster = entryOf(config.clusters, {
    what: "cluster",
    name: textOf(context.fields["cluster"]),
  });
  const user = textOf(context.fields["user"]);
  const known = user === "" ? null : entryOf(config.users, { what: "user", name: user });
  return {
    access: accessOf(cluster, { user: known, env: options.env }),
    namespace: textOf(context.fields["namespace"]) || "default",
    context: name,
  };
}

function filesOf(env: KubeOptions["env"]): string[] {
  const named = env["KUBECONFIG"];
  if (named) return named.split(delimiter).filter((path) => path !== "");
  const home = env["HOME"] ?? env["USERPROFILE"];
  return home === undefined ? [] : [join(home, ".kube", "config")];
}

/** Of several files the first that names a thing has the say (as for kubectl). */
async function readFiles(files: readonly string[]): Promise<Config> {
  const read = await Promise.all(files.map(readOne));
  const found = read.filter((each) => each !== null);
  if (found.length === 0)
    throw notFound(
      `there is no kubeconfig at ${files.join(", ") || "any place that is known"}`,
      "Name it with the environment variable KUBECONFIG.",
    );
  const named = (list: string, part: string) =>
    new Map(
      found
        .toReversed()
        .flatMap(({ fields, directory }) =>
          listOf(fields[list]).map((each): [string, Entry] => [
            textOf(each["name"]),
            { fields: fieldsOf(each[part]), directory },
          ]),
        ),
    );
  const currents = found.map(({ fields }) => textOf(fields["current-context"]));
  return {
    current: currents.find((each) => each !== "") ?? null,
    contexts: named("contexts", "context"),
    clusters: named("clusters", "cluster"),
    users: named("users", "user"),
  };
}

async function readOne(path: string): Promise<Entry | null> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return null;
    throw invalid(`cannot read ${path}: ${messageOf(cause)}`);
  }
  try {
    return { fields: fieldsOf(yaml.parse(text)), directory: dirname(resolve(path)) };
  } catch (cause) {
    // The text may hold keys: its own words are not repeated.
    const [line] = messageOf(cause).split("\n");
    throw invalid(`${path} is no YAML: ${line ?? ""}`);
  }
}

/** What this client does not do it says, rather than to reach for another server, or unchecked. */
const REFUSED_OF_CLUSTERS = {
  "insecure-skip-tls-verify":
    "it tells not to check the server; give certificate-authority-data instead",
  "tls-server-name": "tls-server-name is not supported",
  "proxy-url": "proxy-url is not supported",
};
const REFUSED_OF_USERS = {
  "auth-provider": "auth-provider is not supported; kubectl has dropped it for exec",
  username: "Kubernetes takes no passwords any more",
  as: "impersonation is not supported",
};

function accessOf(cluster: Entry, of: { user: Entry | null; env: KubeOptions["env"] }): ApiAccess {
  const address = textOf(cluster.fields["server"]);
  if (!URL.canParse(address))
    throw invalid(`its cluster has no server, but ${JSON.stringify(address)}`);
  refuse(cluster, REFUSED_OF_CLUSTERS);
  if (of.user !== null) refuse(of.user, REFUSED_OF_USERS);
  let last: Credentials | null = null;
  return {
    server: new URL(address),
    credentials: async ({ renew }) => {
      if (last === null || renew) last = await credentialsOf(cluster, of);
      return last;
    },
  };
}

function refuse({ fields }: Entry, reasons: Readonly<Record<string, string>>): void {
  for (const [field, why] of Object.entries(reasons))
    if (fields[field] !== undefined && fields[field] !== false && fields[field] !== "")
      throw invalid(why);
}

async function credentialsOf(
  cluster: Entry,
  { user, env }: { user: Entry | null; env: KubeOptions["env"] },
): Promise<Credentials> {
  const authority = await fileOrData(cluster, "certificate-authority");
  if (user === null) return { authority, token: null, certificate: null };
  const { fields, directory } = user;
  if (fields["exec"] !== undefined) {
    const given = await runExec(fieldsOf(fields["exec"]), { directory, env });
    return { authority, ...given };
  }
  const chain = await fileOrData(user, "client-certificate");
  const key = await fileOrData(user, "client-key");
  if ((chain === null) !== (key === null))
    throw invalid("its user has a client certificate without a key, or the other way round");
  const token = textOf(fields["token"]) || (await tokenFile(user));
  return {
    authority,
    token: token === "" ? null : new Secret(token),
    certificate: chain === null || key === null ? null : { chain, key: new Secret(key) },
  };
}

async function tokenFile({ fields, directory }: Entry): Promise<string> {
  const path = textOf(fields["tokenFile"]);
  return path === "" ? "" : (await readNamed(resolve(directory, path))).trim();
}

/** "certificate-authority-data" is base64, "certificate-authority" a path. */
async function fileOrData({ fields, directory }: Entry, name: string): Promise<string | null> {
  const data = textOf(fields[`${name}-data`]);
  if (data !== "") return Buffer.from(data, "base64").toString("utf8");
  const path = textOf(fields[name]);
  return path === "" ? null : readNamed(resolve(directory, path));
}

async function readNamed(path: string): Promise<string> {
  return readFile(path, "utf8").catch((cause: unknown) => {
    throw invalid(`it names ${path}, which cannot be read: ${messageOf(cause)}`);
  });
}

function entryOf(entries: ReadonlyMap<string, Entry>, of: { what: string; name: string }): Entry {
  const found = entries.get(of.name);
  if (found !== undefined) return found;
  const names = [...entries.keys()].join(", ") || "none";
  throw notFound(
    `the kubeconfig has no ${of.what} ${JSON.stringify(of.name)}`,
    `It has these: ${names}.`,
  );
}

function notFound(message: string, hint: string): UnderstudyError {
  return new UnderstudyError("KUBECONFIG_NOT_FOUND", message, { hint });
}

function invalid(why: string): UnderstudyError {
  return new UnderstudyError("KUBECONFIG_INVALID", `cannot use the kubeconfig: ${why}`);
}

function listOf(value: unknown): Fields[] {
  return Array.isArray(value) ? value.map(fieldsOf) : [];
}

function fieldsOf(value: unknown): Fields {
  return typeof value === "object" && value !== null ? { ...value } : {};
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
